//! Buffers between two pages that nobody may touch: an access past either end kills the test.

use std::{ptr, slice};

use rustix::{
    mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap},
    param::page_size,
};

use crate::data::{Call, Direction, assert_same};
use atrest::xts::Key;

/// Which end of the mapping a buffer touches.
#[derive(Clone, Copy, Debug)]
pub enum Flush {
    Start,
    End,
}

impl Flush {
    pub const BOTH: [Flush; 2] = [Flush::Start, Flush::End];
}

/// What stands in the bytes between a buffer and the page that it does not touch.
const CANARY: u8 = 0xc3;
/// How many of them are looked at.
const WATCHED: usize = 64;

/// Whole pages, with one inaccessible page before and one behind them.
pub struct Guarded {
    /// The mapping, guard pages included.
    base: *mut u8,
    /// Bytes between the guard pages.
    len: usize,
}

impl Guarded {
    /// Room for buffers of up to `capacity` bytes.
    pub fn new(capacity: usize) -> Guarded {
        let page = page_size();
        let len = (capacity + WATCHED).next_multiple_of(page);
        // SAFETY: a new anonymous mapping at an address of the kernel's choice; the two ranges that become
        // inaccessible lie in it and no reference to them exists.
        let base = unsafe {
            let base = mmap_anonymous(
                ptr::null_mut(),
                len + 2 * page,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
            .expect("memory");
            mprotect(base, page, MprotectFlags::empty()).expect("a guard page");
            mprotect(base.byte_add(page + len), page, MprotectFlags::empty()).expect("a guard page");
            base
        };
        Guarded { base: base.cast(), len }
    }

    fn all(&mut self) -> &mut [u8] {
        // SAFETY: the `len` bytes behind the first guard page are readable and writable, zeroed by the kernel, and
        // borrowed through `self` alone.
        unsafe { slice::from_raw_parts_mut(self.base.add(page_size()), self.len) }
    }

    /// A buffer of `len` bytes at one end, and the canaries beside it.
    fn split(&mut self, flush: Flush, len: usize) -> (&mut [u8], &mut [u8]) {
        let all = self.all();
        match flush {
            Flush::Start => {
                let (buffer, rest) = all.split_at_mut(len);
                (buffer, &mut rest[..WATCHED])
            }
            Flush::End => {
                let (rest, buffer) = all.split_at_mut(all.len() - len);
                let beside = rest.len() - WATCHED;
                (buffer, &mut rest[beside..])
            }
        }
    }

    /// Writes a buffer's content and the canaries.
    fn fill(&mut self, flush: Flush, content: impl Fn(&mut [u8]), len: usize) -> &mut [u8] {
        let (buffer, canaries) = self.split(flush, len);
        content(buffer);
        canaries.fill(CANARY);
        buffer
    }

    fn canaries_live(&mut self, flush: Flush, len: usize) -> bool {
        self.split(flush, len).1.iter().all(|&byte| byte == CANARY)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping that `new` made; its borrows ended with `self`.
        unsafe { munmap(self.base.cast(), self.len + 2 * page_size()) }.expect("our own mapping");
    }
}

/// Gives a copy of `content` that begins where memory does, and one that ends where it does.
pub fn at_both_ends(content: &[u8], check: impl Fn(&[u8])) {
    let mut memory = Guarded::new(content.len());
    for flush in Flush::BOTH {
        check(memory.fill(flush, |copy| copy.copy_from_slice(content), content.len()));
    }
}

/// A source and a destination.
pub struct Pair {
    src: Guarded,
    dst: Guarded,
}

impl Pair {
    pub fn new(capacity: usize) -> Pair {
        Pair { src: Guarded::new(capacity), dst: Guarded::new(capacity) }
    }

    /// [`Call::check`] flush against either guard page: both directions, in place and apart.
    pub fn check(&mut self, call: Call, key: &Key, plain: &[u8], cipher: &[u8]) {
        let len = plain.len();
        for (flush, direction) in Flush::BOTH.into_iter().flat_map(|f| Direction::BOTH.map(|d| (f, d))) {
            let (input, expected) = direction.order(plain, cipher);
            let what = || format!("{key:?}, {call:?}, {direction:?}, {len} bytes, flush with the {flush:?}");

            let data = self.dst.fill(flush, |data| data.copy_from_slice(input), len);
            call.in_place(key, direction, data).expect("good arguments");
            assert_same(data, expected, || format!("{}, in place", what()));
            assert!(self.dst.canaries_live(flush, len), "{}: wrote beside the buffer, in place", what());

            let src = self.src.fill(flush, |src| src.copy_from_slice(input), len);
            let dst = self.dst.fill(flush, |dst| dst.fill(0xa5), len);
            call.apart(key, direction, src, dst).expect("good arguments");
            assert_same(dst, expected, || format!("{}, apart", what()));
            assert_same(src, input, || format!("{}, the source", what()));
            assert!(self.dst.canaries_live(flush, len), "{}: wrote beside the destination", what());
            assert!(self.src.canaries_live(flush, len), "{}: wrote beside the source", what());
        }
    }
}
