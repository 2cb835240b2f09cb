//! Every way through a backend, with secrets.

use atrest::xts::{Backend, Key};

use crate::{Findings, Secret, key, tool};

/// One block, less than a group of vectors, groups and tiles of each backend, with stealing and without.
const UNITS: &[usize] =
    &[16, 17, 31, 32, 33, 48, 64, 127, 128, 129, 255, 256, 257, 512, 520, 1024, 1040, 4096, 4109];

/// Sector sizes and counts. Sectors go in batches of 128 (64 without AES instructions).
const SECTORS: &[(usize, usize)] = &[
    (16, 131),
    (17, 3),
    (17, 130),
    (31, 9),
    (33, 9),
    (48, 130),
    (256, 5),
    (512, 2),
    (512, 128),
    (512, 131),
    (520, 130),
    (528, 9),
    (4096, 1),
    (4096, 3),
    (4096, 129),
    (4109, 9),
];

/// A key, and what its calls work on.
struct Calls<'a> {
    name: &'a str,
    key: &'a Key,
    secret: Secret,
    /// `None`: the data is one unit.
    sector_size: Option<usize>,
}

pub fn all(backend: Backend, bits: usize, secret: Secret, findings: &mut Findings) {
    let key = &*key(backend, bits, secret, findings);
    for &len in UNITS {
        let name = &format!("{backend}: a unit of {len} bytes, AES-{bits}");
        Calls { name, key, secret, sector_size: None }.there_and_back(len, findings);
    }
    for &(size, count) in SECTORS {
        let name = &format!("{backend}: {count} sectors of {size} bytes, AES-{bits}");
        Calls { name, key, secret, sector_size: Some(size) }.there_and_back(size * count, findings);
    }
}

impl Calls<'_> {
    fn there_and_back(&self, len: usize, findings: &mut Findings) {
        let plain: Vec<u8> = (0..len).map(|i| (i * 31 + i / 256) as u8).collect();
        let sealed = self.run(false, false, &plain, findings);
        let sealed_apart = self.run(false, true, &plain, findings);
        let opened = self.run(true, false, &sealed, findings);
        let opened_apart = self.run(true, true, &sealed, findings);
        let right = sealed != plain && sealed == sealed_apart && opened == plain && opened_apart == plain;
        findings.expect(right, || format!("{}: does not come back as it was", self.name));
    }

    /// One call; its output, defined again.
    fn run(&self, decrypt: bool, apart: bool, input: &[u8], findings: &mut Findings) -> Vec<u8> {
        let (mut data, mut other) = (input.to_vec(), vec![0; input.len()]);
        if self.secret == Secret::Data {
            tool::undefine(&mut data);
        }
        let what = format!(
            "{}, {} {}, secret: {:?}",
            self.name,
            if decrypt { "decrypted" } else { "encrypted" },
            if apart { "apart" } else { "in place" },
            self.secret
        );
        findings.watch(&what, || {
            let (key, tweak, first) = (self.key, &[0x5a; 16], 77);
            match (self.sector_size, decrypt, apart) {
                (None, false, false) => key.encrypt_unit(tweak, &mut data),
                (None, false, true) => key.encrypt_unit_to(tweak, &data, &mut other),
                (None, true, false) => key.decrypt_unit(tweak, &mut data),
                (None, true, true) => key.decrypt_unit_to(tweak, &data, &mut other),
                (Some(size), false, false) => key.encrypt_sectors(first, size, &mut data),
                (Some(size), false, true) => key.encrypt_sectors_to(first, size, &data, &mut other),
                (Some(size), true, false) => key.decrypt_sectors(first, size, &mut data),
                (Some(size), true, true) => key.decrypt_sectors_to(first, size, &data, &mut other),
            }
            .unwrap();
        });
        let output = if apart { &other } else { &data };
        findings
            .expect(tool::is_undefined(output), || format!("{what}: the secret does not reach the output"));
        tool::define(&mut data);
        tool::define(&mut other);
        if apart { other } else { data }
    }
}
