//! Functions of the C library, by what they promise rather than by their code.

use crate::{
    algebra::Bit,
    fault::{Fault, Kind, Outcome},
    memory::Memory,
    words::Word,
};

/// Executes a function, given its arguments; gives what it returns.
///
/// # Errors
/// If there is no contract for it, or the caller breaks it.
pub fn execute(name: &str, arguments: &[Word; 3], memory: &mut Memory) -> Outcome<Word> {
    let known =
        |i: usize| arguments[i].address().ok_or_else(|| Fault::secret(&format!("an argument of {name}()")));
    match name {
        "memcpy" | "memmove" => {
            let (to, from, len) = (known(0)?, known(1)?, known(2)?);
            if name == "memcpy" && to != from && to.abs_diff(from) < len {
                return Err(Fault::new(Kind::Convention, "memcpy() of what overlaps"));
            }
            if len != 0 {
                let mut bits = vec![Bit::ZERO; 8 * size(len)?];
                memory.load(from, &mut bits)?;
                memory.store(to, &bits)?;
            }
            Ok(arguments[0].clone())
        }
        "memset" => {
            let (to, len) = (known(0)?, known(2)?);
            let byte = arguments[1].bits();
            let bits: Vec<Bit> = (0..8 * size(len)?).map(|i| byte[i % 8]).collect();
            if len != 0 {
                memory.store(to, &bits)?;
            }
            Ok(arguments[0].clone())
        }
        "memcmp" | "bcmp" => {
            let (a, b) = (known(0)?, known(1)?);
            for i in 0..known(2)? {
                let public =
                    |word: Word| word.known().ok_or_else(|| Fault::secret(&format!("what {name}() finds")));
                let (x, y) = (public(memory.load_word(a + i, 1)?)?, public(memory.load_word(b + i, 1)?)?);
                if x != y {
                    return Ok(Word::Known(if x < y { u64::MAX } else { 1 }));
                }
            }
            Ok(Word::Known(0))
        }
        "strlen" => {
            let at = known(0)?;
            let mut len = 0;
            while memory
                .load_word(at + len, 1)?
                .known()
                .ok_or_else(|| Fault::secret("the end of a string"))?
                != 0
            {
                len += 1;
            }
            Ok(Word::Known(len))
        }
        // The environment is empty.
        "getenv" => Ok(Word::Known(0)),
        _ => Err(Fault::no_model(format!("calls {name}(), for which there is no contract"))),
    }
}

/// A length that fits into any region.
fn size(len: u64) -> Outcome<usize> {
    let most = 1 << 32;
    if len < most {
        Ok(len as usize)
    } else {
        Err(Fault::new(Kind::Bounds, format!("a length of {len} bytes")))
    }
}
