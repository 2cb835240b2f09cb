//! Bad sectors, and writes that fail in between.

use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::*;
use crate::keys::{Class, LocalKeystore, block_on, new_uuid};
use crate::volume::{CreateOptions, Volume};

fn volume() -> (File, Volume) {
    let home = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(home.path().join("keys")).unwrap();
    keystore.ensure_key("default").unwrap();
    let envelope = Envelope::create(&keystore, "default", new_uuid().unwrap(), Class::Persistent);
    let (envelope, keys) = block_on(envelope).unwrap();
    let file = File::from(memfd_create("volume", MemfdFlags::ALLOW_SEALING).unwrap());
    let volume = Volume::create(file.try_clone().unwrap(), &CreateOptions::new(1), envelope, &keys);
    (file, volume.unwrap())
}

/// Bytes of which a part is on bad sectors.
struct Failing {
    bytes: Vec<u8>,
    bad: core::ops::Range<u64>,
}

impl Source for Failing {
    fn length(&self) -> Result<u64, Error> {
        self.bytes.length()
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if offset < self.bad.end && offset + buffer.len() as u64 > self.bad.start {
            return Err(rustix::io::Errno::IO.into());
        }
        self.bytes.fill(buffer, offset)
    }
}

#[test]
fn a_copy_on_bad_sectors_is_as_a_damaged_one() {
    let (file, volume) = volume();
    let size = volume.header().copy_size();
    let mut bytes = vec![0; 2 * size as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let load = |bad| Header::load(&Failing { bytes: bytes.clone(), bad });
    for (bad, used) in [
        (0..1, HeaderCopy::Second),
        (5000..5001, HeaderCopy::Second),
        (size..size + 1, HeaderCopy::First),
        (2 * size - 1..2 * size, HeaderCopy::First),
    ] {
        let (header, warnings) = load(bad).unwrap();
        assert_eq!((header.used_copy(), header.uuid()), (used, volume.header().uuid()));
        let fault = HeaderFault::Unreadable(io::Error::from(rustix::io::Errno::IO).kind());
        assert_eq!(warnings, [Warning::CopyDamaged { copy: used.other(), fault }]);
    }
    assert!(matches!(load(0..2 * size), Err(Error::Damaged { .. })));
}

#[test]
fn the_copy_in_use_is_written_last() {
    let (file, volume) = volume();
    let mut header = volume.header().clone();

    // Now there is room for the first copy only, so writing the second one fails.
    let size = header.copy_size();
    file.set_len(size).unwrap();
    fcntl_add_seals(&file, SealFlags::GROW).unwrap();
    let first_copy = || {
        let mut bytes = vec![0; size as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    };
    let before = first_copy();
    assert_eq!(header.used_copy(), HeaderCopy::First);
    assert!(matches!(header.write(&file), Err(Error::Io { .. })));
    assert!(first_copy() == before, "the only valid copy was overwritten");
    assert_eq!(header.sequence(), volume.header().sequence());

    header.used = HeaderCopy::Second;
    assert!(matches!(header.write(&file), Err(Error::Io { .. })));
    assert!(first_copy() != before);
}
