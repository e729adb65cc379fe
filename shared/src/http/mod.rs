//! What the functions have in common towards browsers: cookies, the same-origin check, error codes, answers.

pub mod answer;
pub mod cookies;
pub mod exchange;
mod html;
pub mod kept_flows;
pub mod page;
pub mod problem;
pub mod request;
pub mod same_origin;
pub mod texts;
pub mod views;
