//! The way through a job for ciphers that know blocks alone, of which they take several in the time of one.
//!
//! The numbers of up to 64 sectors are encrypted together. So are the whole blocks that these sectors have beyond what
//! fills the cipher by itself, and the blocks that ciphertext stealing makes: short sectors, and the ends of longer
//! ones, share a pass.

use zeroize::zeroize_stack;

use super::{
    blocks::{Block, Blocks},
    job::{Direction, Job, Place, double},
};

/// Sectors whose numbers are encrypted together, and blocks for one call of the cipher.
const BATCH: usize = 64;
/// Stack that the ciphers use when optimised, in bytes.
const SPILLED: usize = 4096;

/// The data key's and the tweak key's cipher.
pub(super) trait BlockCipher {
    /// How many blocks take as long as one: a divisor of 64.
    fn width(&self) -> usize;
    /// Whether data goes straight from source to destination: nothing that is not encrypted is put there meanwhile.
    fn is_direct(&self) -> bool;
    /// Encrypts numbers under the tweak key; `width` of them, or a multiple.
    fn encrypt_numbers(&self, numbers: &mut [Block]);
    /// Encrypts or decrypts blocks, each xored with its tweak before and after.
    ///
    /// # Safety
    /// `blocks` is a multiple of `width`. The source is readable, the destination writable, for that many; they are the
    /// same, or do not overlap, and the same if this is not [`is_direct`](BlockCipher::is_direct). So many tweaks are
    /// readable at `tweaks`, which is aligned to 64 bytes.
    unsafe fn run(&self, direction: Direction, place: Place, tweaks: *const Block, blocks: usize);
}

/// Encrypts a number under the tweak key.
#[inline(never)]
pub(super) fn encrypt_number(cipher: &dyn BlockCipher, number: &mut Block) {
    let mut numbers = Blocks::<BATCH>::new();
    let blocks = numbers.zeroed(cipher.width());
    blocks[0] = *number;
    cipher.encrypt_numbers(blocks);
    *number = blocks[0];
    wipe(&numbers, cipher.width());
    zeroize_stack::<SPILLED>();
}

/// Encrypts or decrypts a job.
#[inline(never)]
pub(super) fn run(cipher: &dyn BlockCipher, direction: Direction, job: &Job<'_>) {
    let mut numbers = Blocks::<BATCH>::new();
    let mut waiting = Waiting {
        cipher,
        direction,
        blocks: Blocks::new(),
        tweaks: Blocks::new(),
        destinations: [core::ptr::null_mut(); BATCH],
        count: 0,
        most: 0,
    };
    let direct_tweaks = Blocks::<BATCH>::new();
    let mut most_direct = 0;
    let width = cipher.width();
    let tail = job.sector_size % 16;
    let mut whole = job.sector_size / 16;
    if tail != 0 && direction == Direction::Decrypt {
        whole -= 1; // the last whole block and the tail swap tweaks
    }
    let direct = if cipher.is_direct() { whole / width * width } else { 0 };
    let mut sequence = job.tweaks;
    let mut done = 0;
    while done < job.sectors {
        let count = (job.sectors - done).min(BATCH);
        let tweaks = numbers.zeroed(count.next_multiple_of(width));
        for number in &mut tweaks[..count] {
            *number = sequence.number();
            sequence = sequence.skip(1);
        }
        if !job.encrypted {
            cipher.encrypt_numbers(tweaks);
        }
        for (i, number) in tweaks[..count].iter_mut().enumerate() {
            let mut place = job.place(done + i);
            let mut tweak = u128::from_le_bytes(*number);
            let mut left = direct;
            while left != 0 {
                let now = left.min(BATCH);
                tweak = put_tweaks(&direct_tweaks, 0, now, tweak);
                // SAFETY: `now` is a multiple of `width`, as BATCH and `direct` are; the sector has so many blocks left.
                unsafe { cipher.run(direction, place, direct_tweaks.at(0), now) };
                place = place.add(16 * now);
                left -= now;
                most_direct = most_direct.max(now);
            }
            // SAFETY: the sector has so many blocks left, and they stay as they are until `finish`.
            unsafe { tweak = waiting.add(place, whole - direct, tweak) };
            if tail != 0 {
                if direction == Direction::Decrypt {
                    // SAFETY: the last whole block.
                    unsafe { waiting.add(job.place(done + i).add(16 * whole), 1, double(tweak)) };
                }
                *number = tweak.to_le_bytes();
            }
        }
        waiting.finish();
        if tail != 0 {
            for (i, number) in tweaks[..count].iter().enumerate() {
                let place = job.place(done + i).add(job.sector_size - tail - 16);
                // SAFETY: the last whole block and the tail; the former was written just now.
                unsafe { waiting.steal(place, tail, u128::from_le_bytes(*number)) };
            }
            waiting.finish();
        }
        done += count;
    }
    // Tweaks and plaintext.
    for (blocks, used) in [
        (&numbers, job.sectors.next_multiple_of(width)),
        (&direct_tweaks, most_direct),
        (&waiting.blocks, waiting.most),
        (&waiting.tweaks, waiting.most),
    ] {
        wipe(blocks, used);
    }
    // What the cipher had no registers for.
    zeroize_stack::<SPILLED>();
}

#[inline(never)]
fn wipe(blocks: &Blocks<BATCH>, used: usize) {
    blocks.wipe_first(used);
}

/// Puts `count` tweaks from `tweak` on at `from`, and answers with the next one.
#[inline(never)]
fn put_tweaks(tweaks: &Blocks<BATCH>, from: usize, count: usize, mut tweak: u128) -> u128 {
    assert!(from + count <= BATCH);
    for i in from..from + count {
        // SAFETY: `i` is below BATCH, by the assertion.
        unsafe { tweaks.at(i).write(tweak.to_le_bytes()) };
        tweak = double(tweak);
    }
    tweak
}

/// Blocks, from anywhere, that wait until there are enough of them.
struct Waiting<'a> {
    cipher: &'a dyn BlockCipher,
    direction: Direction,
    blocks: Blocks<BATCH>,
    tweaks: Blocks<BATCH>,
    destinations: [*mut u8; BATCH],
    count: usize,
    /// So many were used at some time.
    most: usize,
}

impl Waiting<'_> {
    /// Adds `count` blocks from `place` on, whose first one's tweak is `tweak`, and answers with the tweak behind them.
    ///
    /// # Safety
    /// The source is readable now, and the destination writable until the next [`finish`](Waiting::finish).
    #[inline(never)]
    unsafe fn add(&mut self, mut place: Place, mut count: usize, mut tweak: u128) -> u128 {
        while count != 0 {
            let now = count.min(BATCH - self.count);
            tweak = put_tweaks(&self.tweaks, self.count, now, tweak);
            for i in self.count..self.count + now {
                // SAFETY: `i` is below BATCH, by the minimum above; the source has `count` blocks.
                unsafe { self.blocks.at(i).write(place.src.cast::<Block>().read_unaligned()) };
                self.destinations[i] = place.dst;
                place = place.add(16);
            }
            self.count += now;
            count -= now;
            if self.count == BATCH {
                self.finish();
            }
        }
        tweak
    }

    /// Ciphertext stealing (IEEE Std 1619-2007, 5.3.2 and 5.4.2), at the last whole block of a unit: its output is in
    /// the destination, and `tail` bytes of source follow it. The end of that output goes with them into one more block,
    /// its start becomes the last bytes of the unit.
    ///
    /// # Safety
    /// `tail` is less than 16. `place` is good for `16 + tail` bytes, the destination until the next
    /// [`finish`](Waiting::finish).
    #[inline(always)]
    unsafe fn steal(&mut self, place: Place, tail: usize, tweak: u128) {
        assert!(tail < 16 && self.count < BATCH);
        // SAFETY: `count` is below BATCH, the rest by this function's contract. The tail is read before it is written,
        // so that `src == dst` is fine.
        unsafe {
            let block = self.blocks.at(self.count);
            let whole = place.dst.cast::<Block>().read_unaligned();
            block.write(whole);
            place.src.add(16).copy_to_nonoverlapping(block.cast(), tail);
            place.dst.add(16).copy_from_nonoverlapping(place.dst, tail);
        }
        put_tweaks(&self.tweaks, self.count, 1, tweak);
        self.destinations[self.count] = place.dst;
        self.count += 1;
        if self.count == BATCH {
            self.finish();
        }
    }

    /// Encrypts or decrypts those that wait.
    #[inline(never)]
    fn finish(&mut self) {
        let count = self.count;
        if count == 0 {
            return;
        }
        let padded = count.next_multiple_of(self.cipher.width());
        // SAFETY: `width` divides BATCH, so that `padded` is BATCH at most, and all up to it are written; the
        // destinations are good, by the contracts of `add` and `steal`.
        unsafe {
            for i in count..padded {
                self.blocks.at(i).write([0; 16]);
                self.tweaks.at(i).write([0; 16]);
            }
            let place = Place { src: self.blocks.at(0).cast(), dst: self.blocks.at(0).cast() };
            self.cipher.run(self.direction, place, self.tweaks.at(0), padded);
            for (i, destination) in self.destinations[..count].iter().enumerate() {
                destination.cast::<Block>().write_unaligned(self.blocks.at(i).read());
            }
        }
        self.most = self.most.max(padded);
        self.count = 0;
    }
}
