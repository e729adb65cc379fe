//! Sends the browser to the provider, with everything the callback will need sealed into a cookie.
