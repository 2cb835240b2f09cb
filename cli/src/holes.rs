//! What becomes a hole where users ask for that, and how much of a file is one.

use std::fs::File;

/// What becomes a hole is whole blocks of this many bytes: those of most file systems, and of a new volume's sectors.
const BLOCK: usize = 4096;

/// Passes on the runs of blocks of a part that begins at a multiple of the block, and whether all of it is zeros: neighbours
/// that are alike go together.
pub fn runs<E>(part: &[u8], mut pass: impl FnMut(&[u8], bool) -> Result<(), E>) -> Result<(), E> {
    let is_hole = |block: &[u8]| *block == [0; BLOCK][..block.len()];
    let mut rest = part;
    while !rest.is_empty() {
        let zeros = is_hole(&rest[..rest.len().min(BLOCK)]);
        let run = rest.chunks(BLOCK).take_while(|block| is_hole(block) == zeros).map(<[u8]>::len).sum();
        let (run, others) = rest.split_at(run);
        pass(run, zeros)?;
        rest = others;
    }
    Ok(())
}

/// How many of the bytes of a file between two offsets are in holes, where that is most of them; else `None`. Leaves the
/// file's position anywhere.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn mostly(file: &File, begin: u64, end: u64) -> Option<u64> {
    use rustix::fs::{SeekFrom, seek};

    /// Nobody minds less.
    const FEW: u64 = 1 << 20;
    let (mut at, mut data) = (begin, 0);
    while at < end {
        // There is none any more.
        let Ok(from) = seek(file, SeekFrom::Data(at)) else { break };
        at = seek(file, SeekFrom::Hole(from)).ok()?;
        data += at.min(end).saturating_sub(from);
        if data > (end - begin) / 2 {
            return None;
        }
    }
    Some(end - begin - data).filter(|holes| *holes >= FEW)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn mostly(_file: &File, _begin: u64, _end: u64) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_whole() {
        let mut part = vec![0; 5 * BLOCK + 7];
        part[BLOCK] = 1;
        part[2 * BLOCK + 5] = 1;
        let mut found = Vec::new();
        runs::<()>(&part, |run, zeros| {
            found.push((run.len(), zeros));
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [(BLOCK, true), (2 * BLOCK, false), (2 * BLOCK + 7, true)]);
        runs::<()>(&[], |_, _| panic!("there is none")).unwrap();
    }
}
