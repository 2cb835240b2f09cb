//! Storage that fails, and loses its power: for tests of what lies on it.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Access, Claim, Kind, Lock, MemoryStorage, Storage};

/// The smallest piece that a disk writes whole, in bytes.
const SECTOR: u64 = 512;
/// For how many sectors without a sync [`PowerCut`] tries every state: each is lost, kept or torn.
const EXHAUSTIVE: usize = 5;

/// At how many places more sectors than that are cut.
const CUTS: usize = 64;

/// Memory that fails where it is told to, remembers what was written and synced, and tells what is left of that when the
/// power goes.
///
/// ```
/// use atrest::storage::{FaultyStorage, MemoryStorage, Operation, Storage};
///
/// let storage = FaultyStorage::new(MemoryStorage::new(8192));
/// storage.write_at(&[1; 512], 0)?;
/// storage.sync()?;
/// storage.write_at(&[2; 512], 0)?;
/// for cut in storage.power_cuts() {
///     let mut sector = [0; 512];
///     cut.left.read_at(&mut sector, 0)?;
///     // It is the one or the other, or half of each.
///     assert!([0, 1, 2].contains(&sector[0]) && [0, 1, 2].contains(&sector[511]));
/// }
///
/// storage.fail(Operation::Read, 1000..1001, std::io::ErrorKind::Other);
/// assert!(storage.read_at(&mut [0; 512], 512).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FaultyStorage {
    /// What is read from it.
    now: MemoryStorage,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What it was when it was made.
    first: MemoryStorage,
    events: Vec<Event>,
    faults: Vec<Fault>,
    /// Says that it writes, and does not.
    loses: bool,
    /// How many operations it takes until it fails for good.
    left: Option<usize>,
    access: Access,
}

/// What is done to the medium, in this order.
#[derive(Debug)]
enum Event {
    /// Of which these sectors were changed.
    Write {
        offset: u64,
        length: usize,
        changed: Vec<Piece>,
    },
    /// A file system has lengths in its journal: they are there at once.
    SetLength(u64),
    Sync,
}

/// What [`FaultyStorage::fail`] makes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Reads of a range, in part or whole.
    Read,
    /// Writes, zeros and discards that touch a range: nothing is written then.
    Write,
    /// Each sync, whatever the range.
    Sync,
    /// Each change of the length, whatever the range.
    SetLen,
    /// Each claim, whatever the range.
    Lock,
}

#[derive(Debug)]
struct Fault {
    operation: Operation,
    range: Range<u64>,
    error: ErrorKind,
}

/// What a loss of power leaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PowerCut {
    /// How many writes, syncs and changes of the length had been done.
    pub after: usize,
    /// The medium, as it is when the power is back.
    pub left: MemoryStorage,
}

impl FaultyStorage {
    /// Without faults so far; what `storage` holds now is on the medium.
    #[must_use]
    pub fn new(storage: MemoryStorage) -> FaultyStorage {
        let state = State {
            first: storage.clone(),
            events: Vec::new(),
            faults: Vec::new(),
            loses: false,
            left: None,
            access: Access::ReadWrite,
        };
        FaultyStorage { now: storage, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on an operation that touches one of these bytes fails.
    pub fn fail(&self, operation: Operation, range: Range<u64>, error: ErrorKind) {
        self.state().faults.push(Fault { operation, range, error });
    }

    /// After so many more writes, syncs and changes of the length each operation fails, reads too: as for a process whose
    /// disk is pulled out.
    pub fn fail_after(&self, operations: usize) {
        self.state().left = Some(operations);
    }

    /// Whether writes succeed, and write nothing.
    pub fn lose_writes(&self, loses: bool) {
        self.state().loses = loses;
    }

    /// What it says that it can be used for.
    pub fn set_access(&self, access: Access) {
        self.state().access = access;
    }

    /// Takes all faults back. What was written stays.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        (state.loses, state.left, state.access) = (false, None, Access::ReadWrite);
    }

    /// How many writes, syncs and changes of the length were done.
    pub fn events(&self) -> usize {
        self.state().events.len()
    }

    /// Where each write so far went: offset and length, in bytes.
    pub fn writes(&self) -> Vec<(u64, usize)> {
        let written = |event: &Event| match event {
            Event::Write { offset, length, .. } => Some((*offset, *length)),
            _ => None,
        };
        self.state().events.iter().filter_map(written).collect()
    }

    /// What is read from it now.
    pub fn content(&self) -> MemoryStorage {
        self.now.clone()
    }

    /// Every state in which a loss of power can leave the medium, at any moment since it was made. What was synced is
    /// there. Of the sectors of 512 bytes that were changed since the last sync, each is lost, kept or torn in its middle,
    /// independently of the others: all such states for up to five sectors. For more of them: first ones kept, or last
    /// ones, for 64 numbers of these, each with and without a torn one where they meet; and every other one.
    pub fn power_cuts(&self) -> impl Iterator<Item = PowerCut> {
        let state = self.state();
        let mut medium = state.first.clone();
        let mut cuts = vec![(0, medium.clone(), Vec::new())];
        let mut pending: Vec<Piece> = Vec::new();
        for (i, event) in state.events.iter().enumerate() {
            match event {
                Event::Write { changed, .. } => pending.extend_from_slice(changed),
                Event::SetLength(length) => {
                    cuts.push((i, medium.clone(), pending.clone()));
                    set_length(&mut medium, *length);
                    pending.retain(|piece| piece.offset + piece.bytes.len() as u64 <= *length);
                }
                Event::Sync => {
                    // What can be lost grows until the sync, so that this has every state before it.
                    cuts.push((i, medium.clone(), pending.clone()));
                    pending.drain(..).for_each(|piece| piece.write(&medium, Fate::Kept));
                    cuts.push((i + 1, medium.clone(), Vec::new()));
                }
            }
        }
        cuts.push((state.events.len(), medium, pending));
        cuts.into_iter().flat_map(|(after, medium, pending)| {
            fates(pending.len()).map(move |fates| PowerCut { after, left: left(&medium, &pending, fates) })
        })
    }

    /// One state in which a loss of power now can leave the medium, chosen by `seed`.
    pub fn power_cut(&self, seed: u64) -> PowerCut {
        let state = self.state();
        let mut medium = state.first.clone();
        let mut pending: Vec<Piece> = Vec::new();
        for event in &state.events {
            match event {
                Event::Write { changed, .. } => pending.extend_from_slice(changed),
                Event::SetLength(length) => {
                    set_length(&mut medium, *length);
                    pending.retain(|piece| piece.offset + piece.bytes.len() as u64 <= *length);
                }
                Event::Sync => pending.drain(..).for_each(|piece| piece.write(&medium, Fate::Kept)),
            }
        }
        let mut random = seed;
        let fates = pending.iter().map(|_| {
            // splitmix64
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (random ^ random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            [Fate::Lost, Fate::Kept, Fate::Torn][(mixed >> 33) as usize % 3]
        });
        let fates = fates.collect();
        PowerCut { after: state.events.len(), left: left(&medium, &pending, fates) }
    }

    /// Begins an operation, unless it fails.
    fn begin(&self, operation: Operation, length: u64, offset: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let touched = |fault: &&Fault| {
            let ranged = matches!(operation, Operation::Read | Operation::Write);
            let overlaps = fault.range.start < offset.saturating_add(length) && offset < fault.range.end;
            fault.operation == operation && (overlaps || !ranged)
        };
        if let Some(fault) = state.faults.iter().find(touched) {
            return Err(fault.error.into());
        }
        let changes = matches!(operation, Operation::Write | Operation::Sync | Operation::SetLen);
        match &mut state.left {
            Some(0) => return Err(ErrorKind::Other.into()),
            Some(left) if changes => *left -= 1,
            _ => {}
        }
        Ok(state)
    }
}

/// What becomes of a sector that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lost,
    Kept,
    /// Its first half is kept.
    Torn,
}

/// What was written of one sector.
#[derive(Clone, Debug)]
struct Piece {
    offset: u64,
    bytes: Vec<u8>,
}

impl Piece {
    fn write(&self, medium: &MemoryStorage, fate: Fate) {
        let half = (self.offset / SECTOR * SECTOR + SECTOR / 2).saturating_sub(self.offset) as usize;
        let kept = match fate {
            Fate::Lost => 0,
            Fate::Kept => self.bytes.len(),
            Fate::Torn => half.min(self.bytes.len()),
        };
        medium.write_at(&self.bytes[..kept], self.offset).expect("it was written before");
    }
}

impl Piece {
    fn is_in(&self, medium: &MemoryStorage) -> bool {
        let mut there = vec![0; self.bytes.len()];
        medium.read_at(&mut there, self.offset).is_ok_and(|()| there == self.bytes)
    }
}

/// A write, sector by sector.
fn pieces(offset: u64, mut bytes: &[u8]) -> Vec<Piece> {
    let (mut offset, mut all) = (offset, Vec::new());
    while !bytes.is_empty() {
        let (part, rest) = bytes.split_at(bytes.len().min((SECTOR - offset % SECTOR) as usize));
        all.push(Piece { offset, bytes: part.to_vec() });
        offset += part.len() as u64;
        bytes = rest;
    }
    all
}

fn set_length(medium: &mut MemoryStorage, length: u64) {
    medium.set_len(length).expect("it was set before");
}

fn left(medium: &MemoryStorage, pending: &[Piece], fates: Vec<Fate>) -> MemoryStorage {
    let left = medium.clone();
    pending.iter().zip(fates).for_each(|(piece, fate)| piece.write(&left, fate));
    left
}

/// What can become of so many sectors.
fn fates(count: usize) -> Box<dyn Iterator<Item = Vec<Fate>>> {
    use Fate::{Kept, Lost, Torn};
    if count <= EXHAUSTIVE {
        let fate = |code: usize, i: usize| [Lost, Kept, Torn][code / 3_usize.pow(i as u32) % 3];
        return Box::new(
            (0..3_usize.pow(count as u32)).map(move |code| (0..count).map(|i| fate(code, i)).collect()),
        );
    }
    let at = move |cut: usize, before: Fate, meeting: Fate, behind: Fate| -> Vec<Fate> {
        let fate = |i: usize| match i.cmp(&cut) {
            core::cmp::Ordering::Less => before,
            core::cmp::Ordering::Equal => meeting,
            core::cmp::Ordering::Greater => behind,
        };
        (0..count).map(fate).collect()
    };
    let cuts = (0..=count).step_by(count.div_ceil(CUTS)).flat_map(move |cut| {
        [
            at(cut, Kept, Lost, Lost),
            at(cut, Lost, Kept, Kept),
            at(cut, Kept, Torn, Lost),
            at(cut, Lost, Torn, Kept),
        ]
    });
    let alternating =
        [0, 1].map(move |odd| (0..count).map(|i| if i % 2 == odd { Kept } else { Lost }).collect());
    Box::new(cuts.chain(alternating))
}

impl Storage for FaultyStorage {
    fn len(&self) -> io::Result<u64> {
        self.now.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let _state = self.begin(Operation::Read, buf.len() as u64, offset)?;
        self.now.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.begin(Operation::Write, buf.len() as u64, offset)?;
        let mut changed = Vec::new();
        if !state.loses {
            // A sector that stays as it is can be lost or kept alike.
            changed = pieces(offset, buf);
            changed.retain(|piece| !piece.is_in(&self.now));
            self.now.write_at(buf, offset)?;
        }
        state.events.push(Event::Write { offset, length: buf.len(), changed });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.begin(Operation::Sync, 0, 0)?.events.push(Event::Sync);
        Ok(())
    }

    /// As zeros that are written.
    fn discard(&self, length: u64, offset: u64) -> io::Result<()> {
        self.write_zeros(length, offset)
    }

    fn claim(&self, claim: Claim) -> io::Result<Lock> {
        drop(self.begin(Operation::Lock, 0, 0)?);
        self.now.claim(claim)
    }

    fn is_changing(&self) -> io::Result<bool> {
        self.now.is_changing()
    }

    fn kind(&self) -> io::Result<Kind> {
        self.now.kind()
    }

    fn access(&self) -> io::Result<Access> {
        Ok(self.state().access)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.begin(Operation::SetLen, 0, 0)?;
        self.now.set_len(length)?;
        state.events.push(Event::SetLength(length));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn read(storage: &impl Storage, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        storage.read_at(&mut bytes, offset).unwrap();
        bytes
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_is_in_any_state() {
        let storage = FaultyStorage::new(MemoryStorage::new(1 << 16));
        storage.write_at(&[1; 1024], 512).unwrap();
        storage.sync().unwrap();
        storage.write_at(&[2; 1024], 512).unwrap();
        storage.write_at(&[3; 100], 4000).unwrap();
        let mut states = BTreeSet::new();
        for cut in storage.power_cuts() {
            let state = read(&cut.left, 0, 8192);
            assert!(state[..512].iter().all(|byte| *byte == 0));
            if cut.after >= 2 {
                assert!(state[512..1536].iter().all(|byte| *byte != 0), "it was synced");
            }
            states.insert(state);
        }
        // Two sectors of three states each that are synced, then two of three with one of three halves beside.
        assert!(states.len() >= 9 + 27 - 1, "{}", states.len());
        assert!(states.contains(&read(&storage, 0, 8192)));
        let random: BTreeSet<_> = (0..200).map(|seed| read(&storage.power_cut(seed).left, 0, 8192)).collect();
        assert!(random.len() > 10 && random.is_subset(&states));
    }

    #[test]
    fn a_long_write_is_cut_everywhere() {
        let storage = FaultyStorage::new(MemoryStorage::new(1 << 16));
        storage.write_at(&[1; 64 * 512], 0).unwrap();
        let states: BTreeSet<_> = storage.power_cuts().map(|cut| read(&cut.left, 0, 64 * 512)).collect();
        let whole = |cut: usize| [vec![1; cut * 512], vec![0; (64 - cut) * 512]].concat();
        assert!((0..=64).all(|cut| states.contains(&whole(cut))));
        assert!(states.len() > 3 * 64);
    }

    #[test]
    fn faults_hit_what_they_are_told_to() {
        let storage = FaultyStorage::new(MemoryStorage::new(4096));
        storage.fail(Operation::Write, 100..200, ErrorKind::StorageFull);
        storage.write_at(&[1; 100], 0).unwrap();
        storage.write_at(&[1; 100], 200).unwrap();
        assert_eq!(storage.write_at(&[1; 101], 0).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(storage.writes(), [(0, 100), (200, 100)]);
        storage.fail(Operation::Sync, 0..0, ErrorKind::Other);
        assert!(storage.sync().is_err());
        storage.heal();
        storage.fail_after(1);
        storage.write_at(&[2; 10], 0).unwrap();
        assert!(storage.write_at(&[2; 10], 0).is_err() && storage.read_at(&mut [0], 0).is_err());
        storage.heal();
        storage.lose_writes(true);
        storage.write_at(&[3; 10], 0).unwrap();
        assert_eq!(read(&storage, 0, 10), [2; 10]);
    }
}
