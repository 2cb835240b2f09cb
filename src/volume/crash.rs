//! Power cuts during a change of the header, at every moment: the writes are recorded, and played back in part.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::disk::Disk;
use super::{CreateOptions, Header, HeaderBackup, Mode, Volume, WrappingChange};
use crate::keys::{Class, Envelope, LocalKeystore, Providers, block_on, new_uuid};

/// What is written to a disk, in the order in which it is.
enum Event {
    Write { offset: usize, bytes: Vec<u8> },
    Sync,
}

/// The beginning of a disk, in memory.
struct Recorder {
    content: RefCell<Vec<u8>>,
    events: RefCell<Vec<Event>>,
}

impl Disk for Recorder {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = offset as usize;
        self.content.borrow_mut()[offset..][..bytes.len()].copy_from_slice(bytes);
        self.events.borrow_mut().push(Event::Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.events.borrow_mut().push(Event::Sync);
        Ok(())
    }

    fn read_back(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        bytes.copy_from_slice(&self.content.borrow()[offset as usize..][..bytes.len()]);
        Ok(())
    }
}

/// The smallest piece of a write that a disk writes whole, in bytes.
const BLOCK: usize = 512;

/// All that a power cut may leave: what was synced is there; of the write that was not, any run of blocks from its
/// beginning, or to its end, or every other one, or a block that is half old and half new.
fn remains(before: &[u8], events: &[Event]) -> Vec<Vec<u8>> {
    let mut states = vec![before.to_vec()];
    let mut synced = before.to_vec();
    let mut pending: Option<(usize, &[u8])> = None;
    for event in events {
        match event {
            Event::Write { offset, bytes } => {
                assert!(
                    pending.is_none(),
                    "two writes without a sync between them: both may be torn at once"
                );
                pending = Some((*offset, bytes));
                let blocks = bytes.len() / BLOCK;
                let mut torn = |kept: &dyn Fn(usize) -> bool| {
                    let mut state = synced.clone();
                    for (i, byte) in bytes.iter().enumerate().filter(|(i, _)| kept(*i)) {
                        state[offset + i] = *byte;
                    }
                    states.push(state);
                };
                for cut in 0..=blocks {
                    torn(&|i| i / BLOCK < cut);
                    torn(&|i| i / BLOCK >= cut);
                    torn(&|i| i < cut * BLOCK + BLOCK / 2);
                }
                torn(&|i| (i / BLOCK).is_multiple_of(2));
                torn(&|i| !(i / BLOCK).is_multiple_of(2));
            }
            Event::Sync => {
                if let Some((offset, bytes)) = pending.take() {
                    synced[offset..][..bytes.len()].copy_from_slice(bytes);
                }
            }
        }
    }
    assert!(pending.is_none(), "the last write is not synced");
    states.push(synced);
    states
}

#[test]
fn a_power_cut_at_any_moment_of_a_rewrap_leaves_a_volume_that_opens() {
    let dir = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
    for key in ["old", "new"] {
        keystore.ensure_key(key).unwrap();
    }
    let providers = Providers::new().with(keystore.clone());
    let created = Envelope::create(&keystore, "old", new_uuid().unwrap(), Class::Persistent);
    let (envelope, keys) = block_on(created).unwrap();
    let path = dir.path().join("v");
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let volume = Volume::create(file.try_clone().unwrap(), &CreateOptions::new(7), envelope, &keys).unwrap();
    volume.write_at(b"content", 0).unwrap();

    // Once with either copy in use.
    for damaged in [None, Some(0)] {
        if let Some(offset) = damaged {
            file.write_all_at(b"!", offset).unwrap();
        }
        let (mut header, _) = Header::read(&file).unwrap();
        let size = 2 * header.copy_size() as usize;
        let mut before = vec![0; size];
        file.read_exact_at(&mut before, 0).unwrap();
        let old = header.envelope().unwrap().unwrap();
        let rewrapped = block_on(old.rewrap(0, "local", "new", &providers)).unwrap();
        header.set_wrappings(rewrapped.envelope.clone()).unwrap();
        let recorder = Recorder { content: RefCell::new(before.clone()), events: RefCell::default() };
        header.write(&recorder).unwrap();

        let states = remains(&before, &recorder.events.borrow());
        let (mut with_old, mut with_new) = (0, 0);
        for state in &states {
            file.write_all_at(state, 0).unwrap();
            let opened = Volume::open(file.try_clone().unwrap(), &providers, Mode::ReadOnly).unwrap();
            let mut content = [0; 7];
            opened.read_at(&mut content, 0).unwrap();
            assert_eq!(&content, b"content");
            match opened.header().envelope().unwrap().unwrap() {
                envelope if envelope == old => with_old += 1,
                envelope if envelope == rewrapped.envelope => with_new += 1,
                _ => panic!("neither the old envelope nor the new"),
            }
        }
        assert!(
            states.len() > 150 && with_old > 30 && with_new > 30,
            "{} {with_old} {with_new}",
            states.len()
        );
        // When it is done, the old wrapping is in neither copy.
        let done = recorder.content.borrow();
        let text = base64(&old.slots()[0].wrapped);
        assert!(contains(&before, &text) && !contains(&done, &text));
        file.write_all_at(&before, 0).unwrap();
    }
}

#[test]
fn a_power_cut_at_any_moment_of_a_restoration_leaves_a_volume_that_opens() {
    let dir = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
    for key in ["old", "new"] {
        keystore.ensure_key(key).unwrap();
    }
    let providers = Providers::new().with(keystore.clone());
    let created = Envelope::create(&keystore, "old", new_uuid().unwrap(), Class::Persistent);
    let (envelope, keys) = block_on(created).unwrap();
    let path = dir.path().join("v");
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let volume = Volume::create(file.try_clone().unwrap(), &CreateOptions::new(7), envelope, &keys).unwrap();
    volume.write_at(b"content", 0).unwrap();
    let size = volume.header().copy_size() as usize;

    // A backup with other keyslots, and a header that has changed since.
    let mut stored = HeaderBackup::take(&file).unwrap().0.as_bytes().to_vec();
    stored[2 * size..4 * size].fill(7);
    let backup = HeaderBackup::parse(&stored).unwrap();
    let change = WrappingChange::Rewrap { slot: 0, provider: "local", key: "new" };
    Volume::change_wrappings(&file, change, &providers).unwrap();

    for damaged in [None, Some(0)] {
        if let Some(offset) = damaged {
            file.write_all_at(b"!", offset).unwrap();
        }
        let (current, _) = Header::read(&file).unwrap();
        let mut before = vec![0; stored.len()];
        file.read_exact_at(&mut before, 0).unwrap();
        let recorder = Recorder { content: RefCell::new(before.clone()), events: RefCell::default() };
        let mut header = backup.header().in_place_of(Some(&current));
        backup.write(&recorder, &mut header).unwrap();
        assert!(header.sequence() > current.sequence() && current.sequence() > backup.header().sequence());

        before.truncate(4 * size);
        let (mut restored, mut not_yet) = (0, 0);
        for state in remains(&before, &recorder.events.borrow()) {
            file.write_all_at(&state, 0).unwrap();
            let opened = Volume::open(file.try_clone().unwrap(), &providers, Mode::ReadOnly).unwrap();
            let mut content = [0; 7];
            opened.read_at(&mut content, 0).unwrap();
            assert_eq!(&content, b"content");
            let envelope = opened.header().envelope().unwrap();
            if envelope == backup.header().envelope().unwrap() {
                restored += 1;
                assert!(
                    state[2 * size..].iter().all(|byte| *byte == 7),
                    "its keyslots are there before it is"
                );
            } else {
                assert_eq!(envelope, current.envelope().unwrap());
                not_yet += 1;
            }
        }
        assert!(restored > 30 && not_yet > 200, "{restored} {not_yet}");
        file.write_all_at(&before, 0).unwrap();
    }
}

/// The key is gone before, so that what is left need not open; but it must tell what it is, and be destroyed again.
#[test]
fn a_power_cut_at_any_moment_of_a_destruction_leaves_one_that_can_be_finished() {
    let dir = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
    let uuid = new_uuid().unwrap();
    let (envelope, keys) = keystore.create_scratch(uuid, None).unwrap();
    let path = dir.path().join("v");
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let volume = Volume::create(file.try_clone().unwrap(), &CreateOptions::new(7), envelope, &keys).unwrap();
    assert!(keystore.destroy_scratch(uuid).unwrap());

    // Both copies and the first keyslots; once with either copy alone.
    let size = volume.header().copy_size();
    let mut sound = vec![7; 3 * size as usize];
    file.read_exact_at(&mut sound[..2 * size as usize], 0).unwrap();
    for damaged in [None, Some(0), Some(size as usize + 5000)] {
        let mut before = sound.clone();
        if let Some(offset) = damaged {
            before[offset] ^= 1;
        }
        let recorder = Recorder { content: RefCell::new(before.clone()), events: RefCell::default() };
        let note = super::Tombstone { uuid, class: Some(Class::Scratch), area: before.len() as u64 };
        super::destroy::wipe(&recorder, &note).unwrap();
        let states = remains(&before, &recorder.events.borrow());
        let (mut headers, mut notes) = (0, 0);
        for state in &states {
            file.write_all_at(state, 0).unwrap();
            match Header::read(&file) {
                Ok((header, _)) if header.uuid() == uuid => headers += 1,
                Err(super::Error::Destroyed(found)) if found == note => notes += 1,
                other => panic!("neither the header nor the note: {other:?}"),
            }
        }
        assert!(headers > 5 && notes > 100, "{headers} {notes}");
        let done = recorder.content.borrow();
        assert!(done[super::tombstone::LENGTH..].iter().all(|byte| *byte == 0));
        // What is done is not done again.
        let recorder = Recorder { content: RefCell::new(done.clone()), events: RefCell::default() };
        super::destroy::wipe(&recorder, &note).unwrap();
        assert!(recorder.events.borrow().is_empty());
    }
}

#[test]
fn what_is_on_the_disk_is_checked_before_the_other_copy_goes() {
    /// Loses what is written to it.
    struct Loses(RefCell<Vec<u64>>);

    impl Disk for Loses {
        fn write(&self, _: &[u8], offset: u64) -> io::Result<()> {
            self.0.borrow_mut().push(offset);
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }

        fn read_back(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Ok(())
        }
    }

    let dir = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
    keystore.ensure_key("k").unwrap();
    let created = Envelope::create(&keystore, "k", new_uuid().unwrap(), Class::Persistent);
    let (envelope, keys) = block_on(created).unwrap();
    let path = dir.path().join("v");
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    let volume = Volume::create(file.try_clone().unwrap(), &CreateOptions::new(0), envelope, &keys).unwrap();
    let mut header = volume.header().clone();
    let loses = Loses(RefCell::default());
    assert!(matches!(header.write(&loses), Err(super::Error::NotVerified { .. })));
    // The copy in use, the first one, was left alone.
    assert_eq!(*loses.0.borrow(), [header.copy_size()]);

    // A change needs a file that can be written; it is refused before any key is asked.
    let read_only = std::fs::File::open(&path).unwrap();
    let change = WrappingChange::Remove { slot: 0 };
    let refused = Volume::change_wrappings(&read_only, change, &Providers::new());
    assert!(matches!(refused, Err(super::Error::FileReadOnly)));
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding as _;
    base64ct::Base64::encode_string(bytes)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
