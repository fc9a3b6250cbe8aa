//! Four-character codes: box types, codecs, handlers, schemes.

use core::fmt;

/// A four-character code as it stands in the file. Displayed as text, with anything that is not
/// printable ASCII as `\xNN`: a file cannot write control characters to a terminal through it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc(pub [u8; 4]);

macro_rules! codes {
    ($($name:ident = $code:literal),* $(,)?) => {
        impl FourCc { $(pub(crate) const $name: Self = Self(*$code);)* }
    };
}

codes! {
    // Not a box: names the whole input in errors.
    FILE = b"file",
    AUXV = b"auxv", CBC1 = b"cbc1", CBCS = b"cbcs", CENC = b"cenc", CENS = b"cens",
    CSGP = b"csgp", EDTS = b"edts", ENCA = b"enca", ENCV = b"encv", FREE = b"free",
    FRMA = b"frma", HDLR = b"hdlr", MDAT = b"mdat", MDHD = b"mdhd", MDIA = b"mdia",
    MFHD = b"mfhd", MFRA = b"mfra", MINF = b"minf", MOOF = b"moof", MOOV = b"moov",
    MVEX = b"mvex", PICT = b"pict", PSSH = b"pssh", SAIO = b"saio", SAIZ = b"saiz",
    SBGP = b"sbgp", SCHI = b"schi", SCHM = b"schm", SEIG = b"seig", SENC = b"senc",
    SGPD = b"sgpd", SIDX = b"sidx", SINF = b"sinf", SOUN = b"soun", STBL = b"stbl",
    STSD = b"stsd", STSZ = b"stsz", STYP = b"styp", STZ2 = b"stz2", TENC = b"tenc",
    TFDT = b"tfdt", TFHD = b"tfhd", TKHD = b"tkhd", TRAF = b"traf", TRAK = b"trak",
    TREX = b"trex", TRUN = b"trun", VIDE = b"vide",
    CO64 = b"co64", DINF = b"dinf", DREF = b"dref", STCO = b"stco", STSC = b"stsc",
    STTS = b"stts",
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{self}'")
    }
}
