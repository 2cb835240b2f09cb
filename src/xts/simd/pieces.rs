//! Sectors in pieces of memory: scatter and gather.
//!
//! A sector that lies in one piece is worked on where it is. One that straddles pieces goes through a buffer, in one
//! batch with the others. One that is longer than the buffer goes through it part by part, its tweak continued.

use core::mem::MaybeUninit;

use zeroize::Zeroize;

use super::{
    cipher::Cipher,
    job::{Direction, Job, Numbers, Place, READ_AHEAD},
};

/// Sectors in a job.
const BATCH: usize = 128;
/// Room for sectors that straddle pieces.
const BUFFER: usize = 8192;
/// A part of a sector that is longer than the buffer: 256 blocks.
const PART: usize = 4096;

/// Pieces of memory, in order: what [`Key::crypt_pieces`](crate::xts::Key::crypt_pieces) works on.
///
/// # Safety
/// Each piece is good for its length, for reads or for writes as its user needs, and is the same each time that it is asked
/// for. Where there is no piece of that number, [`piece`](Pieces::piece) panics.
pub unsafe trait Pieces {
    /// Where piece `i` begins, and its length. What was answered before for the same piece is not used any more.
    ///
    /// # Panics
    /// If there is no such piece.
    fn piece(&mut self, i: usize) -> (*mut u8, usize);
}

/// Encrypts or decrypts `sectors` sectors of `sector_size` bytes from `src` into `dst`; in place where there is no
/// `src`.
///
/// # Safety
/// `src` is readable and `dst` writable, and each has `sectors * sector_size` bytes at least. `sector_size` is at least
/// 16. Where a piece of `dst` overlaps another one, or one of `src`, what is written there is not defined.
pub(crate) unsafe fn run_in_pieces<S: Pieces, D: Pieces>(
    cipher: &Cipher,
    direction: Direction,
    mut src: Option<&mut S>,
    dst: &mut D,
    sector_size: usize,
    sectors: usize,
    tweaks: Numbers<'_>,
) {
    let mut memory = [MaybeUninit::<u64>::uninit(); BUFFER / 8];
    let buffer = memory.as_mut_ptr().cast::<u8>();
    let mut places = [MaybeUninit::<Place>::uninit(); BATCH + READ_AHEAD];
    let mut most_used = 0;
    let (mut read, mut written) = (Position::START, Position::START);
    let mut done = 0;
    while done < sectors {
        let (mut count, mut used) = (0, 0);
        // Made anew rather than kept: copies through memory take as long as a short sector.
        let numbers = tweaks.skip(done);
        let mut ahead = written;
        // SAFETY: sectors are left in source and destination, and those that are put into the buffer fit.
        unsafe {
            let mut room = (sectors - done).min(BATCH);
            while room != 0 {
                // In place, pieces of a sector each want no more than this.
                if src.is_none() && ahead.left_in_piece == 0 {
                    let before = count;
                    for place in &mut places[count..count + room] {
                        let (at, len) = dst.piece(ahead.next_piece);
                        if len != sector_size {
                            break;
                        }
                        place.write(Place { src: at, dst: at });
                        ahead.next_piece += 1;
                        count += 1;
                    }
                    room -= count - before;
                    if room == 0 {
                        break;
                    }
                }
                // First the sectors that lie whole in one piece.
                let mut whole = ahead.whole(dst, sector_size).min(room);
                let mut from = ahead.at.cast_const();
                if let Some(src) = &mut src {
                    whole = whole.min(read.whole(*src, sector_size));
                    from = read.at;
                    read.skip(whole * sector_size);
                }
                let first = Place { src: from, dst: ahead.at };
                ahead.skip(whole * sector_size);
                for (i, place) in places[count..].iter_mut().take(whole).enumerate() {
                    place.write(first.add(sector_size * i));
                }
                count += whole;
                room -= whole;
                if whole != 0 {
                    continue;
                }
                // Then one that does not: in source or destination, or both.
                if used + sector_size > BUFFER {
                    break;
                }
                let slot = buffer.add(used);
                used += sector_size;
                let gather = |piece: *mut u8, at, len| slot.add(at).copy_from_nonoverlapping(piece, len);
                match &mut src {
                    Some(src) => {
                        read.advance(*src, sector_size, gather);
                        ahead.advance(dst, sector_size, |_, _, _| ());
                    }
                    None => ahead.advance(dst, sector_size, gather),
                }
                places[count].write(Place { src: slot, dst: slot });
                count += 1;
                room -= 1;
            }
            if count == 0 {
                // It is longer than the whole buffer.
                long_sector(
                    cipher,
                    direction,
                    &mut src,
                    dst,
                    &mut read,
                    &mut written,
                    sector_size,
                    numbers,
                    buffer,
                );
                (count, used) = (1, BUFFER);
            } else {
                for place in &mut places[count..count + READ_AHEAD] {
                    place.write(Place { src: buffer, dst: buffer });
                }
                let places = &places[..count + READ_AHEAD];
                let places = core::slice::from_raw_parts(places.as_ptr().cast(), places.len());
                cipher.run(direction, Job::scattered(places, count, sector_size, numbers));
                if used == 0 {
                    written = ahead;
                } else {
                    for place in &places[..count] {
                        let in_buffer = place.dst.addr().wrapping_sub(buffer.addr()) < BUFFER;
                        written.advance(dst, sector_size, |piece, at, len| {
                            if in_buffer {
                                piece.copy_from_nonoverlapping(place.dst.add(at), len);
                            }
                        });
                    }
                }
            }
        }
        most_used = most_used.max(used);
        done += count;
    }
    wipe(&mut memory, most_used);
}

/// Wipes what was used of the buffer, in bytes. Word by word: `zeroize` for a slice of them goes byte by byte.
fn wipe(buffer: &mut [MaybeUninit<u64>; BUFFER / 8], used: usize) {
    for word in &mut buffer[..used.div_ceil(8)] {
        word.zeroize();
    }
}

/// One sector that straddles pieces and is longer than the buffer.
///
/// # Safety
/// As [`run_in_pieces`]; the positions are a sector's start, and the buffer has BUFFER bytes.
#[allow(clippy::too_many_arguments)]
unsafe fn long_sector<S: Pieces, D: Pieces>(
    cipher: &Cipher,
    direction: Direction,
    src: &mut Option<&mut S>,
    dst: &mut D,
    read: &mut Position,
    written: &mut Position,
    sector_size: usize,
    tweaks: Numbers<'_>,
    buffer: *mut u8,
) {
    let mut tweak = u128::from_le_bytes(cipher.encrypt_number(tweaks.number()));
    let mut left = sector_size;
    while left != 0 {
        // The last part has more than PART bytes, so that the blocks of ciphertext stealing are together.
        let part = if left <= BUFFER { left } else { PART };
        let mut place = Place { src: buffer, dst: buffer };
        // SAFETY: `part` bytes are left in the sector, and fit into the buffer.
        unsafe {
            // A part that lies in one piece stays there.
            let to_piece = written.whole(dst, part) != 0;
            if to_piece {
                place.dst = written.at;
            }
            let from_piece = match src {
                Some(src) => read.whole(*src, part) != 0,
                None => to_piece,
            };
            let gather = |piece: *mut u8, at, len| {
                if !from_piece {
                    buffer.add(at).copy_from_nonoverlapping(piece, len);
                }
            };
            match src {
                Some(src) => {
                    if from_piece {
                        place.src = read.at;
                    }
                    read.advance(*src, part, gather);
                }
                None if from_piece => place.src = written.at,
                None => { *written }.advance(dst, part, gather),
            }
            cipher.run(direction, Job::part(place, part, tweak));
            written.advance(dst, part, |piece, at, len| {
                if !to_piece {
                    piece.copy_from_nonoverlapping(buffer.add(at), len);
                }
            });
        }
        tweak = times_x256(tweak);
        left -= part;
    }
}

/// A place in a list of pieces.
#[derive(Clone, Copy)]
struct Position {
    at: *mut u8,
    left_in_piece: usize,
    next_piece: usize,
}

impl Position {
    const START: Position = Position { at: core::ptr::null_mut(), left_in_piece: 0, next_piece: 0 };

    /// At the end of a piece, goes to the start of the next one that is not empty.
    #[inline(always)]
    fn settle(&mut self, pieces: &mut impl Pieces) {
        while self.left_in_piece == 0 {
            (self.at, self.left_in_piece) = pieces.piece(self.next_piece);
            self.next_piece += 1;
        }
    }

    /// How many times `len` bytes follow in one piece. At least one byte is left in all.
    #[inline(always)]
    fn whole(&mut self, pieces: &mut impl Pieces, len: usize) -> usize {
        self.settle(pieces);
        // A piece is often as long as a sector, and a division costs as much as a quarter of one.
        match self.left_in_piece {
            left if left < len => 0,
            left if left - len < len => 1,
            left if left - 2 * len < len => 2,
            left => left / len,
        }
    }

    /// Goes on by `len` bytes that are left in the piece.
    #[inline(always)]
    unsafe fn skip(&mut self, len: usize) {
        // SAFETY: this function's contract.
        self.at = unsafe { self.at.add(len) };
        self.left_in_piece -= len;
    }

    /// Goes on by `len` bytes, and shows each stretch of them: where it is, where among the bytes, and its length.
    ///
    /// # Safety
    /// The pieces have `len` more bytes.
    #[inline(always)]
    unsafe fn advance(
        &mut self,
        pieces: &mut impl Pieces,
        len: usize,
        mut stretch: impl FnMut(*mut u8, usize, usize),
    ) {
        let mut done = 0;
        while done < len {
            self.settle(pieces);
            let now = self.left_in_piece.min(len - done);
            stretch(self.at, done, now);
            // SAFETY: that many bytes are left in the piece.
            unsafe { self.skip(now) };
            done += now;
        }
    }
}

/// Times x^256 in GF(2^128): `x^128 = x^7 + x^2 + x + 1`, squared.
fn times_x256(tweak: u128) -> u128 {
    let moved = tweak ^ (tweak << 2) ^ (tweak << 4) ^ (tweak << 14);
    let over = (tweak >> 126) ^ (tweak >> 124) ^ (tweak >> 114);
    moved ^ over ^ (over << 1) ^ (over << 2) ^ (over << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_used_is_wiped() {
        for used in [0, 1, 7, 8, 9, 17 * 128, 17 * 127, BUFFER - 1, BUFFER] {
            let mut buffer = [MaybeUninit::new(u64::MAX); BUFFER / 8];
            wipe(&mut buffer, used);
            // SAFETY: every word was written above.
            let left = buffer.map(|word| unsafe { word.assume_init() });
            assert!(left[..used.div_ceil(8)].iter().all(|&word| word == 0), "{used}");
            assert!(left[used.div_ceil(8)..].iter().all(|&word| word == u64::MAX), "{used}");
        }
    }
}
