//! Sectors in pieces of memory, on every backend, against `soft` in one buffer.
#![no_main]

use atrest::xts::Error;
use atrest_fuzz::{
    cuts::{CutCase, lengths, pieces},
    sectors::{Placed, Run, SOFT, runs},
};
use libfuzzer_sys::fuzz_target;

#[cfg(not(aes_backend = "soft"))]
compile_error!(r#"build with RUSTFLAGS='--cfg aes_backend="soft"': `soft` would not be bitsliced otherwise"#);

fn joined(pieces: &[Placed]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.content()).copied().collect()
}

fn borrowed(pieces: &mut [Placed]) -> Vec<&mut [u8]> {
    pieces.iter_mut().map(Placed::content_mut).collect()
}

fn in_one_buffer(cut: &CutCase) -> Result<Vec<u8>, Error> {
    let (case, mut data) = (&cut.case, cut.case.data.clone());
    let key = case.key(SOFT);
    if case.decrypt {
        key.decrypt_sectors(case.tweaks(), case.sector_size, &mut data)?;
    } else {
        key.encrypt_sectors(case.tweaks(), case.sector_size, &mut data)?;
    }
    Ok(data)
}

fn in_pieces(cut: &CutCase, run: Run) -> Result<Vec<u8>, Error> {
    let (case, size) = (&cut.case, cut.case.sector_size);
    let (key, first) = (case.key(run), case.tweaks());
    let untouched = vec![0xa5; case.data.len()];
    let mut src = pieces(&lengths(cut.src, size, case.data.len()), case.src_at, &case.data);
    let mut dst = pieces(&lengths(cut.dst, size, case.data.len()), case.dst_at, &untouched);
    let result = if case.in_place {
        let data = &mut borrowed(&mut src);
        match case.decrypt {
            false => key.encrypt_sectors_vectored(first, size, data),
            true => key.decrypt_sectors_vectored(first, size, data),
        }
    } else {
        let src: Vec<&[u8]> = src.iter().map(Placed::content).collect();
        let dst = &mut borrowed(&mut dst);
        match case.decrypt {
            false => key.encrypt_sectors_vectored_to(first, size, &src, dst),
            true => key.decrypt_sectors_vectored_to(first, size, &src, dst),
        }
    };
    assert!(src.iter().chain(&dst).all(Placed::is_intact), "{run:?} wrote before a piece");
    let (src, dst) = (joined(&src), joined(&dst));
    if let Err(error) = result {
        assert!(src == case.data && dst == untouched, "{run:?} wrote and then refused");
        return Err(error);
    }
    if case.in_place {
        assert!(dst == untouched);
        Ok(src)
    } else {
        assert!(src == case.data, "{run:?} wrote into the source");
        Ok(dst)
    }
}

fuzz_target!(|input: &[u8]| {
    let cut = CutCase::read(input);
    let expected = in_one_buffer(&cut);
    for run in runs() {
        assert!(in_pieces(&cut, run) == expected, "{run:?} in pieces differs from soft in one buffer");
    }
});
