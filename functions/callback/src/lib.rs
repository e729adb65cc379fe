//! Takes the provider's answer: claims the flow, redeems the code, verifies the identity, commits the link.
