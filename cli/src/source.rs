//! What is encrypted: a regular file, a block device, or a stream.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use crate::failure::{Failure, show};
use crate::holes;

/// An open input.
pub struct Source {
    file: File,
    metadata: Metadata,
    name: String,
    size: Option<u64>,
}

impl Source {
    /// Opens the input; `-` is standard input.
    pub fn open(path: &Path) -> Result<Source, Failure> {
        let (file, name) = if path == Path::new("-") {
            let descriptor = io::stdin().as_fd().try_clone_to_owned();
            (descriptor.map(File::from), "standard input".to_owned())
        } else {
            (File::open(path), show(path))
        };
        let failed = |error: io::Error| Failure::io("cannot read", &name, &error);
        let mut file = file.map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            return Err(Failure::new(format!(
                "cannot encrypt {name}: it is a directory; archive it first (`tar -c {name} | atrest encrypt - VOLUME`)"
            )));
        }
        let mut size = None;
        if kind.is_file() || kind.is_block_device() {
            // Standard input may have been read in part already.
            let position = file.stream_position().map_err(failed)?;
            let end = file.seek(SeekFrom::End(0)).map_err(failed)?;
            file.seek(SeekFrom::Start(position)).map_err(failed)?;
            // Files of the kernel's, as in /proc, say 0 and have content all the same.
            size = Some(end.saturating_sub(position)).filter(|size| *size > 0);
        }
        Ok(Source { file, metadata, name, size })
    }

    /// How many bytes are expected, where that is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many of its bytes are in holes, where that is most of them.
    pub fn mostly_holes(&mut self) -> Result<Option<u64>, Failure> {
        let Some(size) = self.size.filter(|_| self.metadata.is_file()) else { return Ok(None) };
        let failed = |error: io::Error| Failure::io("cannot read", &self.name, &error);
        let position = self.file.stream_position().map_err(failed)?;
        let holes = holes::mostly(&self.file, position, position.saturating_add(size));
        self.file.seek(SeekFrom::Start(position)).map_err(failed)?;
        Ok(holes)
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the system tells of it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Fills the buffer; only the end of the input leaves it filled in part.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::io("cannot read", &self.name, &error)),
            }
        }
        Ok(filled)
    }
}

/// Opens a volume for reading.
pub fn open_volume(path: &Path) -> Result<File, Failure> {
    open_volume_with(path, File::options().read(true))
}

/// Opens a volume whose header is to be changed.
pub fn open_volume_to_change(path: &Path) -> Result<File, Failure> {
    open_volume_with(path, File::options().read(true).write(true))
}

/// Opens a volume that is to be destroyed; `None` where there is no such file.
pub fn open_volume_to_destroy(path: &Path) -> Result<Option<File>, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => open_volume_to_change(path).map(Some),
    }
}

fn open_volume_with(path: &Path, options: &fs::OpenOptions) -> Result<File, Failure> {
    let failed = |error: io::Error| Failure::io("cannot open the volume", show(path), &error);
    // Opening a pipe would wait for its other end.
    let kind = fs::metadata(path).map_err(failed)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(Failure::new(format!(
            "cannot open the volume {}: it is neither a regular file nor a block device",
            show(path)
        )));
    }
    options.open(path).map_err(failed)
}
