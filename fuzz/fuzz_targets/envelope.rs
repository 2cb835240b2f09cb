//! Envelopes from anybody.
#![no_main]

use atrest::keys::Envelope;
use atrest_fuzz::memory::{Counting, counted};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fuzz_target!(|document: &[u8]| {
    let (result, used) = counted(|| Envelope::from_json(document));
    // A string is gathered in a buffer that doubles, and copied; nothing else is larger than the document.
    assert!(used.largest <= 2 * Envelope::MAX_JSON, "{used:?}");
    assert!(used.peak <= 8 * Envelope::MAX_JSON, "{used:?}");
    let envelope = match result {
        Ok(envelope) => envelope,
        Err(error) => {
            let message = error.to_string();
            assert!(!message.is_empty() && message.len() < 1024, "{message}");
            assert!(!message.contains(char::is_control), "{message:?}");
            return;
        }
    };
    assert!(document.len() <= Envelope::MAX_JSON);
    assert!((1..=Envelope::MAX_SLOTS).contains(&envelope.slots().len()));
    for slot in envelope.slots() {
        assert!(slot.wrapped.len() <= Envelope::MAX_WRAPPED);
    }
    let canonical = envelope.to_json();
    let again = Envelope::from_json(canonical.as_bytes()).expect("what is written can be read");
    assert_eq!(again, envelope);
    assert_eq!(again.to_json(), canonical);
});
