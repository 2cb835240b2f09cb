//! How much memory a header, however hostile, and an access, however long, can make the library take.
#![cfg(feature = "volume")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use atrest::volume::{CreateOptions, Header};
use common::{COPY, Place, fix_checksum, header_of, read_all};

/// The system's allocator, which keeps the size of the largest allocation and the sum of those alive.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);
static ALIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: both calls go to the system's allocator with the arguments unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Relaxed);
        PEAK.fetch_max(ALIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: `alloc` above took the pointer from the system's allocator with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The largest allocation and the peak of memory in bytes while `work` runs.
fn watch(work: impl FnOnce()) -> (usize, usize) {
    let before = ALIVE.load(Relaxed);
    LARGEST.store(0, Relaxed);
    PEAK.store(before, Relaxed);
    work();
    (LARGEST.load(Relaxed), PEAK.load(Relaxed).saturating_sub(before))
}

/// Two copies of `size` bytes each with this JSON.
fn header(sample: &[u8], size: usize, json: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 2 * size];
    for (i, copy) in bytes.chunks_mut(size).enumerate() {
        copy[..4096].copy_from_slice(&sample[i * COPY..i * COPY + 4096]);
        copy[8..16].copy_from_slice(&(size as u64).to_be_bytes());
        copy[256..264].copy_from_slice(&((i * size) as u64).to_be_bytes());
        copy[4096..4096 + json.len()].copy_from_slice(json);
        fix_checksum(copy);
    }
    bytes
}

/// Shapes that make a parser allocate much for each byte, cut to fit `length`.
fn hostile(length: usize) -> Vec<Vec<u8>> {
    let fill = |open: &str, unit: &str, close: &str| {
        let count = (length - 1 - open.len() - close.len()) / unit.len();
        format!("{open}{}{close}", unit.repeat(count)).into_bytes()
    };
    let keys: String = (0..length / 12).map(|i| format!("\"{i:07}\":0,")).collect();
    let rows = format!("[{}0],", "0,".repeat(255));
    let row_objects = format!("{{{}\"x\":0}},", (0..200).map(|i| format!("\"{i}\":0,")).collect::<String>());
    vec![
        fill("{\"a\":[", "0,", "0]}"),
        fill("{\"a\":[", "[],", "0]}"),
        fill("{\"a\":[", "{},", "0]}"),
        fill("{\"a\":[", "\"\",", "0]}"),
        fill("{\"a\":[", &rows, "0]}"),
        fill("{\"a\":[", &row_objects, "0]}"),
        fill("{\"a\":\"\\u0001", "x", "\"}"),
        fill("{\"a\":\"", "\\n", "\"}"),
        fill("{\"a\":", "[", ""),
        fill("{\"a\":", "{\"a\":", ""),
        fill("{\"a\":", "9", "}"),
        fill("", " ", "{}"),
        fill("{\"keyslots\":\"", "x", "\"}"),
        format!("{{{}\"x\":0}}", &keys[..keys.len().min(length / 12 * 12 - 24) / 12 * 12]).into_bytes(),
    ]
}

#[test]
fn memory_is_bounded() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let sample = header_of(&place.path("v"));

    for size in [COPY, 1 << 18] {
        for (i, json) in hostile(size - 4096).into_iter().enumerate() {
            let bytes = header(&sample, size, &json);
            let (largest, peak) = watch(|| assert!(Header::parse(&bytes).is_err()));
            assert!(largest <= 2 * size, "shape {i} of {size}: one allocation of {largest}");
            // Values cost more in memory than in text, up to their number's limit.
            assert!(peak <= 4 * size + (8 << 20), "shape {i} of {size}: {peak} in all");
        }
    }

    // A size that is claimed and not there.
    let mut claimed = sample.clone();
    claimed[8..16].copy_from_slice(&(1u64 << 22).to_be_bytes());
    claimed[COPY..].fill(0);
    let (largest, _) = watch(|| assert!(Header::parse(&claimed).is_err()));
    assert!(largest < 4096, "{largest} for a copy that is not there");

    // Long accesses: one buffer of 128 KiB, kept for the next.
    let (volume, _) = place.create("long", &CreateOptions::new(9_000_001));
    let content = vec![7; 9_000_001];
    let (largest, peak) = watch(|| volume.write_at(&content, 0).unwrap());
    assert!(largest <= 128 * 1024 && peak < 130 * 1024, "{largest} {peak}");
    let (largest, _) = watch(|| volume.write_at(&content[..500_000], 77).unwrap());
    assert_eq!(largest, 0);
    let mut back = content.clone();
    let (largest, _) = watch(|| volume.read_at(&mut back, 0).unwrap());
    assert_eq!(largest, 0);
    assert!(read_all(&volume) == content);
}
