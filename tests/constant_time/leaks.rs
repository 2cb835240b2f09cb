//! Leaks that must be reported: planted ones, and the one that is meant.

use std::hint::black_box;

use atrest::xts::{Backend, Error, Key};

use crate::{Findings, Secret, key, key_bytes, tool};

/// A branch and an address that depend on what a backend computed from secrets: behind all of its code, so that a tool
/// which reports them followed the secrets all the way.
pub fn are_reported(backend: Backend, findings: &mut Findings) {
    for secret in [Secret::Key, Secret::Data] {
        let key = key(backend, 256, secret, findings);
        let mut data = vec![0xa5; 3 * 4096];
        if secret == Secret::Data {
            tool::undefine(&mut data);
        }
        key.encrypt_sectors(0, 4096, &mut data).unwrap();
        for (name, leak) in [("branch", branch as fn(u8)), ("address", address)] {
            let before = tool::reports();
            leak(data[5000]);
            findings.expect(tool::reports() > before, || {
                format!("{backend}: a planted {name} went unnoticed, secret: {secret:?}")
            });
        }
        tool::define(&mut data);
    }
}

#[inline(never)]
fn branch(secret: u8) {
    // What the compiler cannot see into it cannot do ahead either, so that this remains a branch.
    if secret & 1 == 0 {
        black_box(());
    }
}

#[inline(never)]
fn address(secret: u8) {
    static TABLE: [u8; 256] = [0; 256];
    black_box(black_box(&TABLE)[usize::from(secret)]);
}

/// Whether key1 = key2 is public: equal halves are refused. That takes one branch, wherever the halves differ; a
/// comparison that stops early would take one for each byte.
pub fn comparison_decides_once(bits: usize, findings: &mut Findings) {
    let half = bits / 8;
    for differs_at in [None, Some(0), Some(half - 1)] {
        let mut bytes = key_bytes(bits)[..half].repeat(2);
        if let Some(i) = differs_at {
            bytes[i] ^= 0x40;
        }
        tool::undefine(&mut bytes);
        let before = tool::reports();
        let built = Key::options().backend(Backend::Soft).build(&bytes);
        let reports = tool::reports() - before;
        tool::define(&mut bytes);
        let refused = matches!(built, Err(Error::EqualHalves));
        findings.expect(refused == differs_at.is_none() && reports == 1, || {
            format!("AES-{bits}: {reports} branches, not one, compare halves that differ at {differs_at:?}")
        });
    }
}
