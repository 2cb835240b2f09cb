//! A word on backends that compute wrongly on this machine.

use atrest::environment::variable;
use atrest::xts::Backend;

use crate::failure::say;

/// Tells the user of those that the choice of a backend met. They are left out, so that nothing is lost but speed; the
/// machine, or the build, deserves a look all the same. Who chose one by `ATREST_BACKEND` gets it, or its error.
pub fn warn_of_wrong_ones() {
    if variable("ATREST_BACKEND").is_some() {
        return;
    }
    let chosen = Backend::fastest();
    let wrong: Vec<&str> = Backend::wrong().map(Backend::name).collect();
    if !wrong.is_empty() {
        say(&warning(&wrong, chosen));
    }
}

fn warning(wrong: &[&str], chosen: Backend) -> String {
    format!(
        "atrest: warning: AES comes out wrong here with {}, so {chosen} is used: the processor, the emulator or this build of \
         atrest is at fault",
        wrong.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_named() {
        let line = warning(&["vaes256", "vaes512"], Backend::Aesni);
        assert!(line.contains("with vaes256 and vaes512, so aesni is used"), "{line}");
    }
}
