//! Copying on two threads: one reads ahead while the other writes.

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Bytes of a buffer: a multiple of every sector size and of the volume's own 128 KiB.
const BUFFER: usize = 512 * 1024;
/// How many buffers go round. Together they are all the data that is ever in memory.
const BUFFERS: usize = 4;

/// Copies until `read` gives 0 bytes, and returns how many were copied. `read` runs on a thread of its own, in order,
/// and fills the buffer but at the end; on this one where the system gives no other.
///
/// When `write` fails this returns at once, although the reader may still wait for input that never comes: the
/// process is about to end, and takes it along.
pub fn copy(
    read: impl FnMut(&mut [u8]) -> Result<usize, Failure> + Send + 'static,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let (give_back, empty) = channel();
    let (pass_on, full) = sync_channel(BUFFERS);
    for _ in 0..BUFFERS {
        // The receiver is here, so this does not fail.
        let _ = give_back.send(Zeroizing::new(vec![0; BUFFER]));
    }
    // A thread that cannot start takes what it was given along.
    let read = Arc::new(Mutex::new(Some(read)));
    let slot = Arc::clone(&read);
    let take = |slot: &Mutex<Option<_>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    let reader = thread::Builder::new().name("reader".into()).spawn(move || {
        let Some(mut read) = take(&slot) else { return Ok(()) };
        while let Ok(mut buffer) = empty.recv() {
            let length = read(&mut buffer)?;
            if length == 0 || pass_on.send((buffer, length)).is_err() {
                break;
            }
        }
        Ok(())
    });
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => {
            let read = take(&read).ok_or_else(|| Failure::io("cannot start", "a thread", &error))?;
            return alone(read, write);
        }
    };

    let mut copied = 0;
    for (buffer, length) in full {
        write(&buffer[..length])?;
        copied += length as u64;
        // The reader has gone when it has come to the end.
        let _ = give_back.send(buffer);
    }
    // Only now is it known whether this was the end of the input or of the reader.
    match reader.join() {
        Ok(result) => result.map(|()| copied),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The same on one thread.
fn alone(
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Failure>,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut buffer = Zeroizing::new(vec![0; BUFFER]);
    let mut copied = 0;
    loop {
        match read(&mut buffer)? {
            0 => return Ok(copied),
            length => {
                write(&buffer[..length])?;
                copied += length as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `length` bytes in whole buffers, then the end or a failure.
    fn reader(
        length: usize,
        ending: Result<usize, &'static str>,
    ) -> impl FnMut(&mut [u8]) -> Result<usize, Failure> {
        let mut left = length;
        move |buffer| {
            if left == 0 {
                return ending.map_err(Failure::new);
            }
            let part = left.min(buffer.len());
            buffer[..part].fill((left / BUFFER) as u8);
            left -= part;
            Ok(part)
        }
    }

    #[test]
    fn everything_arrives_in_order() {
        for length in [0, 1, BUFFER, BUFFER + 1, 9 * BUFFER + 7] {
            for threads in [2, 1] {
                let mut arrived = Vec::new();
                let write = |part: &[u8]| {
                    arrived.extend(part.iter().map(|byte| usize::from(*byte)));
                    Ok(())
                };
                let copied = match threads {
                    2 => copy(reader(length, Ok(0)), write),
                    _ => alone(reader(length, Ok(0)), write),
                };
                assert_eq!(copied.unwrap(), length as u64);
                let sent = (0..length).map(|i| (length - i / BUFFER * BUFFER) / BUFFER);
                assert!(arrived.into_iter().eq(sent), "{length}");
            }
        }
    }

    #[test]
    fn failures_of_both_ends_arrive() {
        let failed = copy(reader(3 * BUFFER, Err("gone")), |_| Ok(()));
        assert!(format!("{:?}", failed.unwrap_err()).contains("gone"));
        let failed = copy(reader(30 * BUFFER, Ok(0)), |_| Err(Failure::new("full")));
        assert!(format!("{:?}", failed.unwrap_err()).contains("full"));
        assert!(alone(reader(3 * BUFFER, Err("gone")), |_| Ok(())).is_err());
        assert!(alone(reader(3 * BUFFER, Ok(0)), |_| Err(Failure::new("full"))).is_err());
    }
}
