//! Sizes on command lines.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../cli/src/size.rs"]
mod size;

fuzz_target!(|text: &str| {
    match size::parse(text) {
        Err(why) => assert!(!why.is_empty() && !why.contains('\n') && why.len() < 200, "{why}"),
        Ok(bytes) => {
            // Digits, and at most three letters.
            let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
            let number: u64 = digits.parse().unwrap();
            assert!(text.is_ascii() && text.len() - digits.len() <= 3);
            assert!(
                number <= bytes
                    && (number != bytes || number == 0 || matches!(&text[digits.len()..], "" | "B"))
            );
            assert_eq!(size::parse(&bytes.to_string()), Ok(bytes));
            let shown = size::show(bytes);
            assert!(shown.len() <= 10, "{shown}");
        }
    }
});
