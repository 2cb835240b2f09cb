//! AES-XTS: every backend of this processor, and as peers in the same run the crate xts-mode and the system's OpenSSL.
//!
//! A name is `aes256/encrypt/512/64KiB/vaes256`: key, direction, sector size in bytes, data in a call
//! (`1` is one sector), who. All run in
//! place, on data that stays in the cache. The whole takes some minutes; a regular expression narrows it:
//!
//! ```sh
//! cargo bench --bench xts -- 'aes256/encrypt/(512|4096)/64KiB'
//! ```
//!
//! This project's `.cargo/config.toml` makes the `aes` crate bitsliced, which xts-mode then runs on. To see xts-mode
//! as its users do, with the AES-NI that the crate finds by itself, take that flag away (and with it the meaning of
//! `soft`); an empty variable does it, `--config` does not, since it only adds to the list:
//!
//! ```sh
//! RUSTFLAGS='' cargo bench --bench xts -- 'xts-mode|openssl'
//! ```
//!
//! With the feature `rayon` there is `parallel/...` too: 64 MiB in a call, on one thread and on all.
//!
//! Cycles a byte on a machine at rest are another matter: this is for comparing two states of the code.

#[path = "../tests/common/openssl.rs"]
mod openssl;

#[cfg(feature = "rayon")]
use std::sync::Arc;
use std::{hint::black_box, time::Duration};

use aes::{
    Aes128, Aes256,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16},
};
use atrest::xts::{Backend, Key};
use criterion::{Criterion, SamplingMode, Throughput};
use openssl::OpenSsl;
use xts_mode::{Xts128, get_tweak_default};

const SECTOR_SIZES: [usize; 4] = [16, 512, 4096, 65536];
/// Data in a call, beside one sector.
const BATCHES: [usize; 2] = [64 << 10, 1 << 20];
const FIRST: u64 = 1000;

/// Encrypts or decrypts consecutive sectors in place; the second argument is their size.
type Run = Box<dyn FnMut(&mut [u8], usize)>;

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Encrypt,
    Decrypt,
}

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .configure_from_args();
    for (bits, key_len) in [(128, 32), (256, 64)] {
        let key: Vec<u8> = (0..key_len).collect();
        for (direction, name) in [(Direction::Encrypt, "encrypt"), (Direction::Decrypt, "decrypt")] {
            let mut contenders = contenders(&key, direction);
            for sector_size in SECTOR_SIZES {
                let single = Some(sector_size).filter(|size| !BATCHES.contains(size));
                for len in single.into_iter().chain(BATCHES) {
                    let data_len = if Some(len) == single { "1".into() } else { format!("{}KiB", len >> 10) };
                    let group = format!("aes{bits}/{name}/{sector_size}/{data_len}");
                    measure(&mut criterion, &group, &mut contenders, sector_size, len);
                }
            }
        }
    }
    #[cfg(feature = "rayon")]
    parallel(&mut criterion);
    criterion.final_summary();
}

/// More than any cache holds, on the calling thread and on all threads of the global pool.
#[cfg(feature = "rayon")]
fn parallel(criterion: &mut Criterion) {
    let key = Arc::new(Key::new(&(0..64).collect::<Vec<u8>>()).expect("a good key"));
    let all = format!("{}-threads", rayon_core::current_num_threads());
    for sector_size in [512, 4096] {
        let mut contenders: [(String, Run); 2] = [
            ("1-thread".into(), {
                let key = Arc::clone(&key);
                Box::new(move |data, size| key.encrypt_sectors(FIRST, size, data).expect("whole sectors"))
            }),
            (all.clone(), {
                let key = Arc::clone(&key);
                Box::new(move |data, size| key.par_encrypt_sectors(FIRST, size, data).expect("whole sectors"))
            }),
        ];
        let group = format!("parallel/aes256/encrypt/{sector_size}/64MiB");
        measure(criterion, &group, &mut contenders, sector_size, 64 << 20);
    }
}

fn measure(
    criterion: &mut Criterion,
    group: &str,
    contenders: &mut [(String, Run)],
    sector_size: usize,
    len: usize,
) {
    let mut data: Vec<u8> = (0..len).map(|i| i as u8).collect();
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Bytes(len as u64));
    // As many calls in each sample: the calls are alike, and the slow peers need no more time than the fast.
    group.sampling_mode(SamplingMode::Flat);
    for (name, run) in contenders {
        group.bench_function(name.as_str(), |bencher| {
            bencher.iter(|| run(black_box(&mut data), black_box(sector_size)));
        });
    }
    group.finish();
}

fn contenders(key: &[u8], direction: Direction) -> Vec<(String, Run)> {
    let mut all: Vec<(String, Run)> = Vec::new();
    for backend in Backend::supported() {
        all.push((backend.to_string(), atrest(backend, key, direction)));
    }
    let xts_mode = match key.len() {
        32 => xts_mode::<Aes128>(key, direction),
        _ => xts_mode::<Aes256>(key, direction),
    };
    all.push(("xts-mode".into(), xts_mode));
    match OpenSsl::new(key, direction == Direction::Encrypt) {
        Some(openssl) => all.push(("openssl".into(), by_unit(openssl))),
        None => eprintln!("note: the system has no OpenSSL (libcrypto)"),
    }
    all
}

fn atrest(backend: Backend, key: &[u8], direction: Direction) -> Run {
    let key = Key::options().backend(backend).build(key).expect("a good key");
    Box::new(move |data, sector_size| {
        match direction {
            Direction::Encrypt => key.encrypt_sectors(FIRST, sector_size, data),
            Direction::Decrypt => key.decrypt_sectors(FIRST, sector_size, data),
        }
        .expect("whole sectors");
    })
}

fn xts_mode<C>(key: &[u8], direction: Direction) -> Run
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + KeyInit + 'static,
{
    let (key1, key2) = key.split_at(key.len() / 2);
    let cipher = |key| C::new_from_slice(key).expect("16 bytes or 32");
    let xts = Xts128::new(cipher(key1), cipher(key2));
    let first = u128::from(FIRST);
    Box::new(move |data, sector_size| match direction {
        Direction::Encrypt => xts.encrypt_area(data, sector_size, first, get_tweak_default),
        Direction::Decrypt => xts.decrypt_area(data, sector_size, first, get_tweak_default),
    })
}

/// OpenSSL has no batches: one call sets the tweak and another one takes the unit.
fn by_unit(mut openssl: OpenSsl) -> Run {
    Box::new(move |data, sector_size| {
        for (number, sector) in (u128::from(FIRST)..).zip(data.chunks_exact_mut(sector_size)) {
            openssl.unit(&number.to_le_bytes(), sector);
        }
    })
}
