#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::cookie_header(data));
