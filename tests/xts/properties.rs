//! Arbitrary keys, tweaks, sizes and counts against the references.

use atrest::xts::{CounterWidth, Tweaks};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::{
    data::{Call, Subject, bytes},
    reference::{Fast, Reference, XtsMode},
    tweaks::sequence,
};

#[derive(Clone, Debug)]
struct Sectors {
    key: Vec<u8>,
    first: u128,
    step: i128,
    width: CounterWidth,
    big: bool,
    size: usize,
    count: usize,
    seed: u64,
}

fn sectors() -> impl Strategy<Value = Sectors> {
    // Short sectors are where the loop's paths meet, and long ones are dear: half are below 300 bytes.
    let size = prop_oneof![16..300_usize, 300..1200_usize, Just(512_usize), 4000..4200_usize];
    let first = prop_oneof![any::<u64>().prop_map(u128::from), any::<u128>().prop_map(|first| first >> 1)];
    // Steps around a power of two, up or down, so that some carry and some do not.
    let step = (0..128_u32, -3..4_i128, any::<bool>())
        .prop_map(|(shift, more, down)| (1_i128 << shift).wrapping_add(more) * if down { -1 } else { 1 });
    let width =
        prop_oneof![Just(CounterWidth::Bits32), Just(CounterWidth::Bits64), Just(CounterWidth::Bits128),];
    let how = (first, prop_oneof![Just(1_i128), step], width, any::<bool>());
    let key = prop_oneof![vec(any::<u8>(), 32), vec(any::<u8>(), 64)];
    (key, how, size, 1..40_usize, any::<u64>())
        .prop_map(|(key, (first, step, width, big), size, count, seed)| Sectors {
            key,
            first,
            step,
            width,
            big,
            size,
            count,
            seed,
        })
        .prop_filter("equal halves", |case| case.key[..case.key.len() / 2] != case.key[case.key.len() / 2..])
}

fn check<R: Reference>(subject: Subject, reference: fn(&[u8]) -> R) {
    // A failing case is printed whole, so that no file of seeds is needed to see it again.
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&sectors(), |case| {
        let key = subject.options().build(&case.key).expect("a good key");
        let plain = bytes(case.seed, case.size * case.count);
        let Sectors { first, step, width, big, .. } = case;
        let list = sequence(first, step, width, big, case.count);
        let cipher = reference(&case.key).encrypt(case.size, &plain, |i| list[i as usize]);
        let tweaks = Tweaks::sequence(first, step).width(width).wrapping();
        let tweaks = if big { tweaks.big_endian() } else { tweaks };
        Call::Sectors(tweaks, case.size).check(&key, &plain, &cipher);
        Call::List(&list, case.size).check(&key, &plain, &cipher);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

pub fn equal_openssl(subject: Subject) {
    check(subject, Fast::new);
}

pub fn equal_xts_mode(subject: Subject) {
    check(subject, XtsMode::new);
}
