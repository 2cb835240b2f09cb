//! The C functions on a volume and on its sectors: any calls in any order, beside a model of what it holds.
#![no_main]

use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char},
    fs::File,
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    ptr,
};

use atrest::Code;
use atrest_capi::*;
use atrest_fuzz::{Fields, sectors::Placed};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};

/// Above two stripes of 128 KiB, and no whole number of sectors.
const SIZE: u64 = 300_001;
/// Calls of one input.
const CALLS: usize = 24;

/// A volume that is open, and what it must hold.
struct Open {
    volume: *mut atrest_volume,
    /// The cipher of the same volume, which knows nothing of the file.
    cipher: *mut atrest_sector_cipher,
    file: File,
    content: Vec<u8>,
}

struct World {
    providers: *mut atrest_providers,
    /// One for each sector size.
    volumes: Vec<Open>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

/// What an error says is one line that a terminal can show, and ends where it says.
fn line(room: &[c_char]) -> String {
    let bytes: Vec<u8> = room.iter().map(|&byte| byte as u8).collect();
    let text = CStr::from_bytes_until_nul(&bytes).expect("a NUL").to_str().expect("UTF-8").to_owned();
    assert!(!text.contains(char::is_control), "{text:?}");
    text
}

impl World {
    fn new() -> World {
        // Beside the program, and the same one for every run: nothing takes it away at the end.
        let mut keystore = std::env::current_exe().expect("a program");
        keystore.set_extension("keys");
        let keystore = CString::new(keystore.into_os_string().into_encoded_bytes()).expect("no NUL");
        let (mut error, mut providers) = ([0; 500], ptr::null_mut());
        // SAFETY: strings with a NUL, and pointers to what is written.
        unsafe {
            let made = atrest_local_create_key(
                keystore.as_ptr(),
                c"local:fuzz".as_ptr(),
                error.as_mut_ptr(),
                error.len(),
            );
            assert!(made == Code::Ok || made == Code::KeyExists, "{}", line(&error));
            assert_eq!(atrest_providers_new(&mut providers), Code::Ok);
            let added =
                atrest_providers_add_local(providers, keystore.as_ptr(), error.as_mut_ptr(), error.len());
            assert_eq!(added, Code::Ok, "{}", line(&error));
            assert_eq!(atrest_providers_expect_any(providers), Code::Ok);
        }
        let volumes = [512, 1024, 2048, 4096].map(|sector_size| Open::new(providers, sector_size)).into();
        World { providers, volumes }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // SAFETY: a set that nobody uses any more.
        unsafe { atrest_providers_free(self.providers) };
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: an open volume and a cipher that nobody uses any more.
        unsafe {
            atrest_volume_close(self.volume);
            atrest_sector_cipher_free(self.cipher);
        }
    }
}

impl Open {
    fn new(providers: *const atrest_providers, sector_size: usize) -> Open {
        let file = File::from(memfd_create("volume", MemfdFlags::empty()).expect("memory"));
        let (mut volume, mut error) = (ptr::null_mut(), [0; 500]);
        // SAFETY: as above; the descriptor is open, and stays so.
        let made = unsafe {
            atrest_volume_create_fd(
                file.as_raw_fd(),
                SIZE,
                sector_size,
                ATREST_VOLUME_DISCARD,
                providers,
                c"local:fuzz".as_ptr(),
                -1,
                &mut volume,
                error.as_mut_ptr(),
                error.len(),
            )
        };
        assert_eq!(made, Code::Ok, "{}", line(&error));
        let mut header = vec![0; 4096];
        file.read_exact_at(&mut header, 0).expect("a header");
        // SAFETY: as many bytes as are said.
        header.resize(unsafe { atrest_volume_header_length(header.as_ptr(), header.len()) }, 0);
        file.read_exact_at(&mut header, 0).expect("a header");
        let mut cipher = ptr::null_mut();
        // SAFETY: as above.
        let made = unsafe {
            let (error, room) = (error.as_mut_ptr(), error.len());
            atrest_sector_cipher_new(header.as_ptr(), header.len(), providers, -1, &mut cipher, error, room)
        };
        assert_eq!(made, Code::Ok, "{}", line(&error));
        let mut open = Open { volume, cipher, file, content: vec![0; SIZE as usize] };
        // SAFETY: an open volume.
        let zeroed = unsafe { atrest_volume_write_zeros(open.volume, SIZE, 0) };
        assert_eq!(zeroed, Code::Ok);
        open.check();
        open
    }

    /// Reads all of it.
    fn read(&self) -> Vec<u8> {
        let mut all = vec![0xee; SIZE as usize];
        // SAFETY: the buffer is as long as is said.
        let read = unsafe { atrest_volume_read(self.volume, all.as_mut_ptr(), all.len(), 0) };
        assert_eq!(read, Code::Ok);
        all
    }

    fn check(&mut self) {
        assert!(self.read() == self.content, "the volume holds something else");
    }

    /// Closes the volume: it has one writer.
    fn close(&mut self) {
        // SAFETY: an open volume, or NULL, that nobody uses any more.
        unsafe { atrest_volume_close(self.volume) };
        self.volume = ptr::null_mut();
    }

    /// Opens it as the other calls need it.
    fn open(&mut self, providers: *const atrest_providers) {
        let (fd, flags, out) = (self.file.as_raw_fd(), ATREST_VOLUME_DISCARD, &mut self.volume);
        // SAFETY: true addresses, and an open descriptor.
        let status = unsafe { atrest_volume_open_fd(fd, flags, providers, -1, out, ptr::null_mut(), 0) };
        assert_eq!(status, Code::Ok);
    }

    /// Opens the file again, by other means and with odd arguments, and sees the same.
    fn again(&mut self, providers: *const atrest_providers, fields: &mut Fields<'_>) {
        let flags = match fields.byte() {
            byte @ 0..16 => u32::from(byte),
            _ => ATREST_VOLUME_DISCARD,
        };
        let (null_providers, null_out) = (fields.byte() & 15 == 0, fields.byte() & 15 == 0);
        let fd = if fields.byte() & 15 == 0 { -1 } else { self.file.as_raw_fd() };
        let (mut volume, mut error) = (ptr::dangling_mut(), [0x55; 500]);
        let room = usize::from(fields.u16()) % (error.len() + 1);
        let out = if null_out { ptr::null_mut() } else { &raw mut volume };
        let given = if null_providers { ptr::null() } else { providers };
        self.close();
        // SAFETY: true addresses and lengths, or NULL.
        let status = unsafe { atrest_volume_open_fd(fd, flags, given, -1, out, error.as_mut_ptr(), room) };
        assert!(error[room..].iter().all(|&byte| byte == 0x55), "the message is longer than its room");
        if room > 0 {
            line(&error[..room]);
        }
        let good = flags < 8 && !null_providers && !null_out && fd >= 0;
        assert_eq!(status == Code::Ok, good, "{status:?}");
        if good {
            self.volume = volume;
            self.check();
            if flags != ATREST_VOLUME_DISCARD {
                // SAFETY: `buf` may be NULL where `len` is 0, and the volume is open.
                unsafe {
                    let [read_only, no_discard] = [ATREST_VOLUME_READ_ONLY, ATREST_VOLUME_DISCARD];
                    let expected = match flags {
                        _ if flags & read_only != 0 => Code::ReadOnly,
                        _ if flags & no_discard == 0 => Code::DiscardOff,
                        _ => Code::Ok,
                    };
                    assert_eq!(atrest_volume_discard(volume, 512, 0), expected);
                    let writing = atrest_volume_write(volume, [7].as_ptr(), 1, 0);
                    assert_eq!(writing == Code::Ok, flags & read_only == 0);
                }
                self.content = self.read();
                self.close();
                self.open(providers);
            }
        } else {
            assert!(null_out || volume.is_null(), "a volume, and {status:?}");
            self.open(providers);
        }
    }

    /// Says anything of what is expected: it is refused, or the volume opens for writing, or it is another one.
    fn under(&mut self, providers: *mut atrest_providers, fields: &mut Fields<'_>) {
        let mut pin = [0; ATREST_PIN_SIZE];
        // SAFETY: an open volume, and room as long as is said.
        assert_eq!(unsafe { atrest_volume_pin(self.volume, pin.as_mut_ptr(), pin.len()) }, Code::Ok);
        let pin = line(&pin);
        let mut text = match fields.byte() & 3 {
            0 => pin.clone(),
            1 => format!("key=local:fuzz {pin}"),
            2 => format!("any slot={}", fields.byte()),
            _ => String::new(),
        }
        .into_bytes();
        for _ in 0..fields.byte() % 8 {
            let at = usize::from(fields.byte()) % (text.len() + 1);
            text.insert(at, fields.byte().max(1));
        }
        let untouched = text == pin.as_bytes();
        let text = CString::new(text).expect("no NUL");
        self.close();
        let (mut error, mut volume) = ([0; 500], ptr::null_mut());
        // SAFETY: a string with a NUL, a set of providers that nobody else uses, and room as long as is said.
        unsafe {
            let said = atrest_providers_expect(providers, text.as_ptr(), error.as_mut_ptr(), error.len());
            assert_eq!(said == Code::Ok, line(&error).is_empty(), "{said:?}");
            assert!(said == Code::Ok || said == Code::Expectation && !untouched, "{said:?}");
            let fd = self.file.as_raw_fd();
            let (error, room) = (error.as_mut_ptr(), error.len());
            let status = atrest_volume_open_fd(fd, 0, providers, -1, &mut volume, error, room);
            assert_eq!(status == Code::Ok, !volume.is_null());
            let refused = [Code::Unexpected, Code::Slot].into_iter().any(|code| status == code);
            assert!(status == Code::Ok || refused && !untouched, "{status:?}");
            assert_eq!(atrest_volume_slot(volume), if status == Code::Ok { 0 } else { -1 });
            atrest_volume_close(volume);
            assert_eq!(atrest_providers_expect_any(providers), Code::Ok);
        }
        self.open(providers);
    }

    /// Encrypts or decrypts sectors without the volume, which knows the same.
    fn sectors(&mut self, fields: &mut Fields<'_>) {
        let (encrypt, first, len) = (fields.byte() & 1 == 0, place(fields), place(fields));
        // SAFETY: a cipher.
        let (size, offset) = unsafe {
            (
                atrest_sector_cipher_sector_size(self.cipher) as u64,
                atrest_sector_cipher_data_offset(self.cipher),
            )
        };
        // Whole sectors as a rule, so that more than one in a thousand is taken.
        let len = if fields.byte() & 7 == 0 { len } else { len / size * size };
        let first = if fields.byte() & 7 == 0 { first } else { first / size };
        let sectors = SIZE.div_ceil(size);
        let good = len % size == 0 && first.checked_add(len / size).is_some_and(|end| end <= sectors);
        let real = if len <= 2 * SIZE { len as usize } else { 0 };
        let (mut stored, mut plain) = (vec![0; real], vec![0; real]);
        if good {
            self.file.read_exact_at(&mut stored, offset + first * size).expect("sectors of the volume");
            let from = (first * size) as usize;
            let known = &self.content[from.min(SIZE as usize)..(from + real).min(SIZE as usize)];
            plain[..known.len()].copy_from_slice(known);
        }
        let (source, expected) = if encrypt { (&plain, &stored) } else { (&stored, &plain) };
        let mut memory = Placed::new(usize::from(fields.byte() % 64), source);
        let (buffer, len) = (memory.content_mut().as_mut_ptr(), len as usize);
        // SAFETY: true addresses and lengths, or such as must be refused.
        let status = unsafe {
            match encrypt {
                true => atrest_sector_cipher_encrypt(self.cipher, first, buffer, buffer, len),
                false => atrest_sector_cipher_decrypt(self.cipher, first, buffer, buffer, len),
            }
        };
        assert_eq!(status == Code::Ok, good, "{status:?}");
        // What lies behind the volume's end in its last sector is zeros, until something is discarded there.
        let within = real.min((SIZE as usize).saturating_sub((first.saturating_mul(size)) as usize));
        match good {
            true if encrypt && within < real => {}
            true => assert!(memory.content()[..within] == expected[..within], "other sectors"),
            false => assert!(memory.content() == source, "it wrote and then refused"),
        }
        assert!(memory.is_intact(), "it wrote before its buffer");
    }

    fn call(&mut self, fields: &mut Fields<'_>) {
        let (call, offset, len) = (fields.byte() % 8, place(fields), place(fields));
        // A buffer can only be as long as it is; what is told beyond must be refused before it is touched.
        let told = len;
        let real = if len <= 2 * SIZE { len as usize } else { 0 };
        let pattern = fields.byte();
        let content: Vec<u8> = (0..real).map(|i| pattern ^ i as u8 ^ (i >> 8) as u8).collect();
        let mut memory = Placed::new(usize::from(fields.byte() % 64), &content);
        let null = fields.byte() & 15 == 0;
        let buffer = if null { ptr::null_mut() } else { memory.content_mut().as_mut_ptr() };
        let inside = offset.checked_add(told).is_some_and(|end| end <= SIZE);
        let range = || offset as usize..(offset + told) as usize;
        // SAFETY: true addresses and lengths, or such as must be refused.
        let status = unsafe {
            match call {
                0 | 1 => atrest_volume_read(self.volume, buffer, told as usize, offset),
                2..=4 => atrest_volume_write(self.volume, buffer, told as usize, offset),
                5 => atrest_volume_write_zeros(self.volume, told, offset),
                6 => atrest_volume_discard(self.volume, told, offset),
                _ => atrest_volume_flush(self.volume),
            }
        };
        assert!(memory.is_intact(), "call {call} wrote before its buffer");
        let takes_buffer = call < 5;
        let good = call == 7 || inside && !(takes_buffer && null && told != 0);
        assert_eq!(status == Code::Ok, good, "call {call}: {status:?}");
        if call > 1 || !good {
            assert!(memory.content() == content, "call {call} wrote into its buffer");
        }
        match call {
            _ if !good => {}
            0 | 1 => assert!(memory.content() == &self.content[range()], "another content"),
            2..=4 => self.content[range()].copy_from_slice(&content),
            5 => self.content[range()].fill(0),
            6 => {
                // What was discarded has no meaning; everything beside it has.
                let now = self.read();
                let (before, after) = (range().start, range().end);
                assert!(now[..before] == self.content[..before] && now[after..] == self.content[after..]);
                self.content = now;
            }
            _ => {}
        }
    }
}

/// An offset or a length: at edges of sectors, stripes and numbers, and in between.
fn place(fields: &mut Fields<'_>) -> u64 {
    const EDGES: [u64; 16] = [
        0,
        1,
        511,
        512,
        4095,
        4096,
        4097,
        131_072,
        131_071,
        SIZE - 1,
        SIZE,
        SIZE + 1,
        u64::MAX,
        i64::MAX as u64,
        i64::MAX as u64 + 1,
        u64::MAX - SIZE,
    ];
    let (choice, any) = (fields.byte(), u64::from(fields.u16()));
    match choice {
        0..64 => EDGES[usize::from(choice % 16)],
        64..128 => any % 9000,
        128..192 => any / 128 * 512,
        _ => any * 5 % SIZE,
    }
}

fuzz_target!(|input: &[u8]| {
    WORLD.with_borrow_mut(|world| {
        let mut fields = Fields(input);
        let choice = usize::from(fields.byte());
        let open = &mut world.volumes[choice % 4];
        // SAFETY: an open volume.
        assert_eq!(unsafe { atrest_volume_size(open.volume) }, SIZE);
        for _ in 0..CALLS {
            if fields.0.is_empty() {
                break;
            }
            match fields.byte() {
                0 => open.again(world.providers, &mut fields),
                1 => open.under(world.providers, &mut fields),
                240.. => open.sectors(&mut fields),
                _ => open.call(&mut fields),
            }
        }
        open.check();
    });
});
