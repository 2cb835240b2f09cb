//! The shared suite: what every backend must do, run once for each backend that this processor has, in each of its
//! schedules.
//!
//! A test is `BACKEND::NAME`, or `BACKEND:SCHEDULE::NAME` where there are several; those of the other backends are listed as
//! ignored. `cargo test --test xts vaes256` runs one backend's, and all take libtest's arguments. Without optimisation
//! those that take long are left out, unless `ATREST_LONG` is set. `ATREST_REQUIRE_BACKENDS` (names with commas between)
//! makes it an error where one of those cannot run.
//!
//! The expected values come from published vectors and from other implementations ([`reference`]), never from a
//! backend: two that share a mistake would agree.

mod batches;
mod bindings;
mod data;
#[cfg(target_os = "linux")]
#[path = "../common/elevated.rs"]
mod elevated;
mod environment;
mod errors;
mod guarded;
mod lengths;
#[path = "../common/openssl.rs"]
mod openssl;
#[cfg(feature = "rayon")]
mod parallel;
mod pieces;
mod properties;
mod reference;
#[cfg(not(debug_assertions))]
mod residue;
mod surface;
mod tweaks;
mod vectors;

use std::process::ExitCode;

use atrest::xts::Backend;
use data::Subject;
use libtest_mimic::{Arguments, Completion, Trial};

type SharedTest = fn(Subject);
type GeneralTest = fn();

/// What each backend must pass.
const SHARED: &[(&str, SharedTest)] = &[
    ("ieee1619", vectors::ieee1619),
    ("cavp_aes128", vectors::cavp_aes128),
    ("cavp_aes256", vectors::cavp_aes256),
    ("wycheproof", vectors::wycheproof),
    ("every_length_between_guard_pages", lengths::every_length),
    ("lengths_around_4096_and_65536", lengths::around_pages),
    ("unaligned_buffers", lengths::unaligned),
    ("largest_unit", lengths::largest_unit),
    ("large_copies_to_every_offset", lengths::large_copies),
    ("batches_equal_single_units", batches::equal_single_units),
    ("long_batches", batches::long),
    ("batches_of_every_sector_size", batches::every_sector_size),
    ("batches_between_guard_pages", batches::between_guard_pages),
    ("batches_resume_anywhere", batches::resume_anywhere),
    ("one_key_for_many_threads", batches::one_key_for_many_threads),
    ("pieces_equal_one_buffer", pieces::equal_one_buffer),
    ("pieces_lie_anywhere", pieces::lie_anywhere),
    ("pieces_between_guard_pages", pieces::between_guard_pages),
    ("pieces_repeat_as_sources", pieces::sources_repeat),
    ("pieces_in_every_tweak_layout", pieces::layouts),
    ("pieces_under_lists_of_tweaks", pieces::lists),
    ("pieces_that_are_refused", pieces::refused),
    ("tweak_plain64", tweaks::plain64),
    ("tweak_plain64be", tweaks::plain64be),
    ("tweak_plain64_in_512", tweaks::plain64_in_512),
    ("tweak_number128", tweaks::number128),
    ("tweak_number128be", tweaks::number128be),
    ("tweak_plain", tweaks::plain),
    ("tweak_upper64", tweaks::upper64),
    ("tweak_with_complement", tweaks::with_complement),
    ("tweak_counter32", tweaks::counter32),
    ("tweak_sequences", tweaks::sequences),
    ("tweak_sequences_in_512", tweaks::sequences_in_512),
    ("tweak_lists", tweaks::lists),
    ("tweak_lists_that_are_refused", tweaks::lists_that_are_refused),
    ("tweak_overflow_is_refused", tweaks::overflow),
    ("errors_leave_data_untouched", errors::leave_data_untouched),
    ("empty_data_is_fine", errors::empty_data_is_fine),
    ("keys_that_are_refused", errors::keys_that_are_refused),
    #[cfg(not(debug_assertions))]
    ("no_key_stays_on_the_stack", residue::no_key_stays),
    ("keys_from_halves", errors::keys_from_halves),
    ("arbitrary_sectors_equal_openssl", properties::equal_openssl),
    ("arbitrary_sectors_equal_xts_mode", properties::equal_xts_mode),
    #[cfg(feature = "rayon")]
    ("parallel_in_every_layout", parallel::every_layout),
    #[cfg(feature = "rayon")]
    ("parallel_in_every_size", parallel::every_size),
    #[cfg(feature = "rayon")]
    ("parallel_in_every_pool", parallel::every_pool),
    #[cfg(feature = "rayon")]
    ("parallel_without_a_pool", parallel::no_pool),
    #[cfg(feature = "rayon")]
    ("parallel_errors_leave_data_untouched", parallel::errors),
    ("bindings_choose_the_direction", bindings::directions),
    ("bindings_bring_pieces", bindings::pieces_of_the_callers),
    ("bindings_place_keys", bindings::keys_in_place),
    ("bindings_name_backends", bindings::backends_by_name),
    ("forced_by_the_environment", environment::forces),
    ("forced_by_an_option", environment::option_overrides),
];

/// Those that take long without optimisation: there they run with the variable `ATREST_LONG` alone.
const LONG: &[&str] = &[
    "lengths_around_4096_and_65536",
    "large_copies_to_every_offset",
    "long_batches",
    "batches_of_every_sector_size",
    "pieces_equal_one_buffer",
    "tweak_sequences",
];

/// What concerns no single backend.
const GENERAL: &[(&str, GeneralTest)] = &[
    ("detection_finds_what_the_processor_has", environment::detection),
    ("without_the_variable_the_fastest_runs", environment::default_is_fastest),
    ("unknown_names_are_errors", environment::unknown_names),
    ("unsupported_names_are_errors", environment::unsupported_names),
    #[cfg(target_os = "linux")]
    ("with_elevated_rights_the_variable_decides_nothing", environment::elevated_rights),
    ("names_round_trip", surface::names_round_trip),
    ("keys_show_no_secret", surface::keys_show_no_secret),
    ("error_messages", surface::error_messages),
    ("selftest_passes", surface::selftest_passes),
    ("references_agree", reference::agree),
    ("layouts_are_sequences", tweaks::layouts_are_sequences),
];

fn main() -> ExitCode {
    if environment::is_child() {
        return environment::child();
    }
    let mut trials = Vec::new();
    assert!(LONG.iter().all(|long| SHARED.iter().any(|(name, _)| name == long)), "{LONG:?}");
    let all = !cfg!(debug_assertions) || std::env::var_os("ATREST_LONG").is_some();
    for subject in Subject::all() {
        for &(name, test) in SHARED {
            let left_out = !all && LONG.contains(&name);
            trials.push(Trial::ignorable_test(format!("{subject}::{name}"), move || {
                if !subject.backend.is_supported() {
                    return Ok(Completion::ignored_with("not on this processor"));
                }
                if left_out {
                    return Ok(Completion::ignored_with("long without --release: set ATREST_LONG"));
                }
                test(subject);
                Ok(Completion::Completed)
            }));
        }
    }
    for &(name, test) in GENERAL {
        trials.push(Trial::test(format!("general::{name}"), move || {
            test();
            Ok(())
        }));
    }
    if openssl::OpenSsl::new(&data::bytes(1, 64), true).is_none() {
        eprintln!("note: the system has no OpenSSL (libcrypto); xts-mode alone is the reference");
    }
    let missing = Backend::ALL.iter().filter(|backend| !backend.is_supported());
    for backend in missing {
        eprintln!("note: this processor cannot run the backend {backend}; its tests are ignored");
    }
    let required = std::env::var("ATREST_REQUIRE_BACKENDS").unwrap_or_default();
    for name in required.split(',').filter(|name| !name.is_empty()) {
        if !name.parse::<Backend>().is_ok_and(Backend::is_supported) {
            eprintln!("ATREST_REQUIRE_BACKENDS is set, and this processor does not run {name}");
            return ExitCode::FAILURE;
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
