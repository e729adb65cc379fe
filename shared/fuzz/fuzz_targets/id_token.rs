#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::id_token(data));
