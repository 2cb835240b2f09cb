//! The system's OpenSSL, found at run time: building the tests needs none.

use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::OnceLock,
};

use libloading::Library;

type NewContext = unsafe extern "C" fn() -> *mut c_void;
type FreeContext = unsafe extern "C" fn(*mut c_void);
type Cipher = unsafe extern "C" fn() -> *const c_void;
type Init =
    unsafe extern "C" fn(*mut c_void, *const c_void, *mut c_void, *const u8, *const u8, c_int) -> c_int;
type Update = unsafe extern "C" fn(*mut c_void, *mut u8, *mut c_int, *const u8, c_int) -> c_int;

struct Api {
    new: NewContext,
    free: FreeContext,
    aes_128_xts: Cipher,
    aes_256_xts: Cipher,
    init: Init,
    update: Update,
    _library: Library,
}

impl Api {
    fn get() -> Option<&'static Api> {
        static API: OnceLock<Option<Api>> = OnceLock::new();
        API.get_or_init(Api::load).as_ref()
    }

    fn load() -> Option<Api> {
        let names = ["libcrypto.so.3", "libcrypto.so.4", "libcrypto.so.1.1", "libcrypto.3.dylib"];
        // SAFETY: libcrypto's initialisers may run at any time; the types are those of its <openssl/evp.h>, and the
        // library stays loaded as long as the pointers do.
        unsafe {
            let library = names.iter().find_map(|name| Library::new(*name).ok())?;
            Some(Api {
                new: *library.get::<NewContext>(b"EVP_CIPHER_CTX_new\0").ok()?,
                free: *library.get::<FreeContext>(b"EVP_CIPHER_CTX_free\0").ok()?,
                aes_128_xts: *library.get::<Cipher>(b"EVP_aes_128_xts\0").ok()?,
                aes_256_xts: *library.get::<Cipher>(b"EVP_aes_256_xts\0").ok()?,
                init: *library.get::<Init>(b"EVP_CipherInit_ex\0").ok()?,
                update: *library.get::<Update>(b"EVP_CipherUpdate\0").ok()?,
                _library: library,
            })
        }
    }
}

/// An AES-XTS context of OpenSSL's, for one key and one direction.
pub struct OpenSsl {
    api: &'static Api,
    context: *mut c_void,
}

impl OpenSsl {
    /// key1 and key2, which it wants different: 32 bytes or 64. `None` if the system has no OpenSSL.
    pub fn new(key: &[u8], encrypt: bool) -> Option<OpenSsl> {
        let api = Api::get()?;
        assert!(matches!(key.len(), 32 | 64));
        // SAFETY: a new context, a cipher of the key's length, no IV yet.
        unsafe {
            let cipher = if key.len() == 32 { (api.aes_128_xts)() } else { (api.aes_256_xts)() };
            let context = (api.new)();
            assert!(!context.is_null());
            let ok =
                (api.init)(context, cipher, ptr::null_mut(), key.as_ptr(), ptr::null(), c_int::from(encrypt));
            assert_eq!(ok, 1, "OpenSSL takes the key");
            Some(OpenSsl { api, context })
        }
    }

    /// Encrypts or decrypts one data unit in place.
    pub fn unit(&mut self, tweak: &[u8; 16], unit: &mut [u8]) {
        let len = c_int::try_from(unit.len()).expect("a unit is short");
        let mut written = 0;
        // SAFETY: the context is this object's own; the unit is as long as it says, and is encrypted in place.
        unsafe {
            let init =
                (self.api.init)(self.context, ptr::null(), ptr::null_mut(), ptr::null(), tweak.as_ptr(), -1);
            assert_eq!(init, 1, "OpenSSL takes the tweak");
            let data = unit.as_mut_ptr();
            assert_eq!(
                (self.api.update)(self.context, data, &mut written, data, len),
                1,
                "OpenSSL takes the unit"
            );
        }
        assert_eq!(written, len);
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { (self.api.free)(self.context) }
    }
}
