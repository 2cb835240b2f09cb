//! Decoding, against encodings of an assembler.
