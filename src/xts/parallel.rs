//! Batches of sectors that are split over threads.
//!
//! A batch is halved at a sector border until its parts are small enough, and [`join`] gives away one half of each
//! where another thread is idle. So it goes on the calling thread alone when all others are at work.

use rayon_core::{current_num_threads, join};

use super::{
    error::Error,
    key::Key,
    sectors::check_apart,
    simd::{Direction, Job, Numbers},
    tweak::TweakSource,
};

/// Shorter data stays on the calling thread. On two Zen 4 cores whose pool was asleep, half of this took 77 µs with a
/// second thread and 69 without; this took 117 and 138.
const LEAST: usize = 2 << 20;
/// Longer parts are halved. From 32 KiB to 1 MiB it makes no difference on two cores; with many, small parts even out.
const PART: usize = 128 << 10;

/// The same as the calls without `par_`, on all threads of the current [rayon] pool: the one that the calling thread
/// belongs to, else the global one. All share this key.
///
/// Data is split between sectors only, so that a single sector stays on one thread, however long it is. Less than
/// 2 MiB, and anything in a pool of one thread, is left to the calling thread: waking another one would take longer.
///
/// ```
/// # let key = atrest::xts::Key::new(&core::array::from_fn::<u8, 64, _>(|i| i as u8))?;
/// let mut image = vec![7; 8 << 20];
/// key.par_encrypt_sectors(0, 4096, &mut image)?;
/// # key.decrypt_sectors(0, 4096, &mut image)?;
/// # assert!(image.iter().all(|&byte| byte == 7));
/// # Ok::<(), atrest::xts::Error>(())
/// ```
///
/// [rayon]: https://docs.rs/rayon
#[cfg_attr(docsrs, doc(cfg(feature = "rayon")))]
impl Key {
    /// Encrypts consecutive sectors in place, as [`encrypt_sectors`](Key::encrypt_sectors), on several threads.
    ///
    /// # Errors
    /// Those of [`encrypt_sectors`](Key::encrypt_sectors); `data` is then untouched.
    pub fn par_encrypt_sectors<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        data: &mut [u8],
    ) -> Result<(), Error> {
        self.par_in_place(Direction::Encrypt, tweaks.into(), sector_size, data)
    }

    /// Decrypts consecutive sectors in place, as [`decrypt_sectors`](Key::decrypt_sectors), on several threads.
    ///
    /// # Errors
    /// Those of [`decrypt_sectors`](Key::decrypt_sectors); `data` is then untouched.
    pub fn par_decrypt_sectors<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        data: &mut [u8],
    ) -> Result<(), Error> {
        self.par_in_place(Direction::Decrypt, tweaks.into(), sector_size, data)
    }

    /// Encrypts consecutive sectors from `src` into `dst`, as [`encrypt_sectors_to`](Key::encrypt_sectors_to), on
    /// several threads.
    ///
    /// # Errors
    /// Those of [`encrypt_sectors_to`](Key::encrypt_sectors_to); `dst` is then untouched.
    pub fn par_encrypt_sectors_to<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), Error> {
        self.par_apart(Direction::Encrypt, tweaks.into(), sector_size, src, dst)
    }

    /// Decrypts consecutive sectors from `src` into `dst`, as [`decrypt_sectors_to`](Key::decrypt_sectors_to), on
    /// several threads.
    ///
    /// # Errors
    /// Those of [`decrypt_sectors_to`](Key::decrypt_sectors_to); `dst` is then untouched.
    pub fn par_decrypt_sectors_to<'a>(
        &self,
        tweaks: impl Into<TweakSource<'a>>,
        sector_size: usize,
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), Error> {
        self.par_apart(Direction::Decrypt, tweaks.into(), sector_size, src, dst)
    }

    fn par_in_place(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        data: &mut [u8],
    ) -> Result<(), Error> {
        if alone(sector_size, data.len()) {
            return self.crypt_sectors(direction, tweaks, sector_size, data);
        }
        // The whole is checked before any part is touched.
        if let Some((_, numbers)) = check_apart(tweaks, sector_size, data.len())? {
            self.split_in_place(direction, numbers, sector_size, data);
        }
        Ok(())
    }

    fn par_apart(
        &self,
        direction: Direction,
        tweaks: TweakSource<'_>,
        sector_size: usize,
        src: &[u8],
        dst: &mut [u8],
    ) -> Result<(), Error> {
        if src.len() != dst.len() || alone(sector_size, src.len()) {
            return self.crypt_sectors_to(direction, tweaks, sector_size, src, dst);
        }
        if let Some((_, numbers)) = check_apart(tweaks, sector_size, src.len())? {
            self.split_apart(direction, numbers, sector_size, src, dst);
        }
        Ok(())
    }

    /// `data` is sectors, at least one, and `numbers` suffice for them.
    fn split_in_place(
        &self,
        direction: Direction,
        numbers: Numbers<'_>,
        sector_size: usize,
        data: &mut [u8],
    ) {
        let Some(sectors) = half(sector_size, data.len()) else {
            return self.cipher.run(direction, Job::in_place(data, sector_size, numbers));
        };
        let (head, tail) = data.split_at_mut(sectors * sector_size);
        let next = numbers.skip(sectors);
        join(
            || self.split_in_place(direction, numbers, sector_size, head),
            || self.split_in_place(direction, next, sector_size, tail),
        );
    }

    fn split_apart(
        &self,
        direction: Direction,
        numbers: Numbers<'_>,
        sector_size: usize,
        src: &[u8],
        dst: &mut [u8],
    ) {
        let Some(sectors) = half(sector_size, src.len()) else {
            return self.cipher.run(direction, Job::apart(src, dst, sector_size, numbers));
        };
        let (src_head, src_tail) = src.split_at(sectors * sector_size);
        let (dst_head, dst_tail) = dst.split_at_mut(sectors * sector_size);
        let next = numbers.skip(sectors);
        join(
            || self.split_apart(direction, numbers, sector_size, src_head, dst_head),
            || self.split_apart(direction, next, sector_size, src_tail, dst_tail),
        );
    }
}

/// Whether a call is left to the calling thread. Asks for the pool last: that starts the global one.
fn alone(sector_size: usize, len: usize) -> bool {
    len < LEAST || len <= sector_size || current_num_threads() == 1
}

/// How many sectors make the first half; `None` where there is nothing to split.
fn half(sector_size: usize, len: usize) -> Option<usize> {
    let sectors = len / sector_size;
    (len > PART && sectors > 1).then_some(sectors / 2)
}
