//! Backups of headers from anybody, and putting them in the place of a volume's header. The input is that of
//! `luks2_header`, twice over: what the volume has (a length of two bytes in front), and the backup.
#![no_main]

use atrest::{
    keys::Expect,
    storage::{MemoryStorage, Storage as _},
    volume::{Header, HeaderBackup},
};
use atrest_fuzz::{
    Fields,
    keystore::line,
    memory::{Counting, counted},
    sealed,
};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The largest area of a header that is made as long as it says.
const LONGEST: u64 = 1 << 20;

/// The bytes, and as many zeros behind them as the header says that there are keyslots.
fn whole(input: &[u8]) -> Vec<u8> {
    let mut bytes = sealed::header(input);
    if let Ok((header, _)) = Header::parse(&bytes) {
        let area = (2 * header.copy_size()).saturating_add(header.keyslots_size());
        if area <= LONGEST {
            bytes.resize(bytes.len().max(area as usize), 0);
        }
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let mut fields = Fields(input);
    let first = usize::from(fields.u16()).min(fields.0.len());
    let (volume, backup) = fields.0.split_at(first);
    let (volume, backup) = (whole(volume), whole(backup));

    let (parsed, used) = counted(|| HeaderBackup::parse(&backup));
    assert!(used.largest <= backup.len().max(2 * 0x4000), "{used:?} for {} bytes", backup.len());
    let Ok(parsed) = parsed.map_err(|error| line(&error)) else { return };
    let area = 2 * parsed.header().copy_size() + parsed.header().keyslots_size();
    assert_eq!(parsed.as_bytes().len() as u64, area);
    let again = HeaderBackup::parse(parsed.as_bytes()).expect("what is stored can be read");
    assert_eq!(again.as_bytes(), parsed.as_bytes());

    for force in [false, true] {
        let storage = MemoryStorage::from(&volume[..]);
        let before = storage.len().unwrap();
        match parsed.restore(&storage, &Expect::any(), force) {
            Err(error) => {
                line(&error);
                let mut after = vec![0; volume.len()];
                storage.read_at(&mut after, 0).unwrap();
                assert!(after == volume, "it was refused, and changed the volume");
            }
            Ok(restored) => {
                assert!(force || restored.differences.is_empty());
                assert_eq!(storage.len().unwrap(), before);
                let (header, warnings) = Header::read(&storage).expect("what was restored");
                assert!(warnings.is_empty(), "{warnings:?}");
                assert_eq!(header.uuid(), parsed.header().uuid());
                assert!(header.sequence() > parsed.header().sequence());
            }
        }
    }
});
