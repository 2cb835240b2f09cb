//! Every backend against `soft`.
#![no_main]

use atrest_fuzz::sectors::{Case, Placed, Run, SOFT, runs};
use libfuzzer_sys::fuzz_target;

#[cfg(not(aes_backend = "soft"))]
compile_error!(r#"build with RUSTFLAGS='--cfg aes_backend="soft"': `soft` would not be bitsliced otherwise"#);

const MOST_SECTOR_SIZE: u16 = 8192;

/// The output, or nothing when the call was refused and the output is as it was.
fn output_of(case: &Case, run: Run, decrypt: bool, input: &[u8]) -> Option<Vec<u8>> {
    let key = case.key(run);
    let mut src = Placed::new(case.src_at, input);
    let untouched = vec![0xa5; input.len()];
    let mut dst = Placed::new(case.dst_at, &untouched);
    let result = if case.in_place {
        case.in_place(&key, decrypt, src.content_mut())
    } else {
        case.apart(&key, decrypt, src.content(), dst.content_mut())
    };
    assert!(src.is_intact() && dst.is_intact(), "{run:?} wrote before a buffer");
    let (src, dst) = (src.content(), dst.content());
    if case.in_place {
        assert!(*dst == *untouched);
    } else {
        assert!(*src == *input, "{run:?} wrote into the source");
    }
    match result {
        Ok(()) => Some(if case.in_place { src } else { dst }.to_vec()),
        Err(_) => {
            assert!(*src == *input && *dst == *untouched, "{run:?} wrote and then refused");
            None
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let case = Case::read(input, MOST_SECTOR_SIZE);
    let expected = output_of(&case, SOFT, case.decrypt, &case.data);
    for run in runs() {
        let output = output_of(&case, run, case.decrypt, &case.data);
        assert!(output == expected, "{run:?} differs from soft");
        if let Some(output) = output {
            assert!(output != case.data || output.is_empty(), "{run:?} did nothing");
            let back = output_of(&case, run, !case.decrypt, &output);
            assert!(back.as_deref() == Some(&case.data[..]), "{run:?} does not reverse itself");
        }
    }
});
