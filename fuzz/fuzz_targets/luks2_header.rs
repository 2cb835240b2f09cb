//! LUKS2 headers from anybody.
#![no_main]

use atrest::{
    keys::Envelope,
    luks2::{Digest, Keyslot, Segment, TokenSummary},
    storage::MemoryStorage,
    volume::{Header, HeaderError},
};
use atrest_fuzz::{
    memory::{Counting, counted},
    sealed,
};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The area of the smallest header, both copies.
const SMALLEST: usize = 2 * 0x4000;

/// All that a header says, as far as an update keeps it.
#[derive(Debug, PartialEq)]
struct Said {
    text: [String; 3],
    sizes: [u64; 2],
    keyslots: Vec<Keyslot>,
    segments: Vec<Segment>,
    digests: Vec<Digest>,
    tokens: Vec<TokenSummary>,
    requirements: Vec<String>,
    data_segment: Option<Segment>,
    /// The envelope and the volume's size.
    token: Option<(Option<Envelope>, Option<u64>)>,
}

impl Said {
    fn by(header: &Header) -> Said {
        Said {
            text: [header.uuid().to_string(), header.label(), header.subsystem()],
            sizes: [header.copy_size(), header.keyslots_size()],
            keyslots: header.keyslots().to_vec(),
            segments: header.segments().to_vec(),
            digests: header.digests().to_vec(),
            tokens: header.tokens().to_vec(),
            requirements: header.requirements().to_vec(),
            data_segment: quiet(header.data_segment()).cloned(),
            token: quiet(header.envelope()).map(|envelope| (envelope, quiet(header.size()).flatten())),
        }
    }
}

/// An error is one line that a terminal can show.
fn quiet<T, E: std::fmt::Display>(result: Result<T, E>) -> Option<T> {
    result
        .map_err(|error| {
            let message = error.to_string();
            assert!(!message.is_empty() && message.len() < 1024, "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
        })
        .ok()
}

fuzz_target!(|input: &[u8]| {
    let bytes = sealed::header(input);
    let (result, used) = counted(|| Header::parse(&bytes));
    assert!(used.largest <= bytes.len().max(SMALLEST), "{used:?} for {} bytes", bytes.len());
    let Some((header, _)) = quiet(result) else { return };
    let said = Said::by(&header);

    let storage = MemoryStorage::from(&bytes[..]);
    let (mut read, _) = Header::read(&storage).expect("as from bytes");
    assert_eq!(Said::by(&read), said);
    match read.update(&storage) {
        Ok(()) => {}
        // JSON that grows when it is written anew, such as 1e9, may not fit.
        Err(HeaderError::Full(_)) => return,
        Err(error) => panic!("{error}"),
    }
    let (again, warnings) = Header::read(&storage).expect("what was written");
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(again.sequence(), header.next().sequence());
    assert_eq!(again.sequences(), [Some(again.sequence()); 2]);
    assert_eq!(Said::by(&again), said);
});
