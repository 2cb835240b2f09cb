//! Every backend against `soft`.
#![no_main]

use atrest::xts::{Backend, Key};
use atrest_fuzz::sectors::Case;
use libfuzzer_sys::fuzz_target;

#[cfg(not(aes_backend = "soft"))]
compile_error!(r#"build with RUSTFLAGS='--cfg aes_backend="soft"': `soft` would not be bitsliced otherwise"#);

const CANARY: u8 = 0xc3;

/// Allocated to the byte, for AddressSanitizer to see what is read or written behind it; canaries stand before it.
fn placed(at: usize, content: &[u8]) -> Box<[u8]> {
    let mut buffer = vec![CANARY; at + content.len()].into_boxed_slice();
    buffer[at..].copy_from_slice(content);
    buffer
}

/// The output, or nothing when the call was refused and the output is as it was.
fn run(case: &Case, backend: Backend, decrypt: bool, input: &[u8]) -> Option<Vec<u8>> {
    let key = match Key::options().backend(backend).build(&case.key) {
        Ok(key) => key,
        Err(error) => {
            assert_eq!(error, atrest::xts::Error::EqualHalves);
            Key::options().backend(backend).allow_equal_halves(true).build(&case.key).expect("by choice")
        }
    };
    let mut src = placed(case.src_at, input);
    let untouched = vec![0xa5; input.len()];
    let mut dst = placed(case.dst_at, &untouched);
    let result = if case.in_place {
        case.in_place(&key, decrypt, &mut src[case.src_at..])
    } else {
        case.apart(&key, decrypt, &src[case.src_at..], &mut dst[case.dst_at..])
    };
    let before = |buffer: &[u8], at: usize| buffer[..at].iter().all(|&byte| byte == CANARY);
    assert!(before(&src, case.src_at) && before(&dst, case.dst_at), "{backend} wrote before a buffer");
    let (src, dst) = (&src[case.src_at..], &dst[case.dst_at..]);
    if case.in_place {
        assert!(*dst == *untouched);
    } else {
        assert!(*src == *input, "{backend} wrote into the source");
    }
    match result {
        Ok(()) => Some(if case.in_place { src } else { dst }.to_vec()),
        Err(_) => {
            assert!(*src == *input && *dst == *untouched, "{backend} wrote and then refused");
            None
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let case = Case::read(input);
    let expected = run(&case, Backend::Soft, case.decrypt, &case.data);
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_supported()) {
        let output = run(&case, backend, case.decrypt, &case.data);
        assert!(output == expected, "{backend} differs from soft");
        if let Some(output) = output {
            assert!(output != case.data || output.is_empty(), "{backend} did nothing");
            let back = run(&case, backend, !case.decrypt, &output);
            assert!(back.as_deref() == Some(&case.data[..]), "{backend} does not reverse itself");
        }
    }
});
