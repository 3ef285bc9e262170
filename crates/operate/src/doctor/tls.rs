//! The certificates of the edges: until when they are good, and whether their keys belong to them.
//!
//! It reads the files as the server does when it starts, and no secret of theirs leaves it. It must not know what an edge serves.

use base::{Timestamp, count};
use der::{
    Decode, Reader, SliceReader, Tag,
    asn1::{GeneralizedTime, UtcTime},
};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{fmt::Display, path::Path, time::Duration};

use super::{Check, Verdict};

/// From this many days before its end a certificate is shouted about: the time to have another one made and signed.
const DAYS_LEFT_MIN: i64 = 30;
const DAY_SECS: i64 = 24 * 60 * 60;

/// The files of an edge that speaks TLS.
#[derive(Clone, Copy, Debug)]
pub struct EdgeTls<'a> {
    /// What the check is called.
    pub name: &'static str,
    /// Its certificate, and those of its issuers.
    pub cert: &'a Path,
    /// Its key.
    pub key: &'a Path,
}

/// From when until when every certificate of a chain is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    from: Timestamp,
    to: Timestamp,
}

pub(super) fn check(edge: &EdgeTls<'_>, now: Timestamp) -> Check {
    match read(edge) {
        Ok(validity) => verdict(edge, validity, now),
        Err(failure) => failure,
    }
}

fn read(edge: &EdgeTls<'_>) -> Result<Validity, Check> {
    let failure = |file: &Path, seen: &dyn Display| {
        let advice = "name PEM files: the certificate first and its issuers after it, and its key; the server does not start with these";
        Check::new(edge.name, Verdict::Failure, format!("`{}`: {seen}", file.display()), advice)
    };
    let chain = CertificateDer::pem_file_iter(edge.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| failure(edge.cert, &error))?;
    let validities = chain.iter().map(|certificate| validity(certificate)).collect::<Result<Vec<_>, _>>();
    let validities = validities.map_err(|error| failure(edge.cert, &error))?;
    let whole = validities.into_iter().reduce(|a, b| Validity { from: a.from.max(b.from), to: a.to.min(b.to) });
    let whole = whole.ok_or_else(|| failure(edge.cert, &"it holds no certificate"))?;
    let key = PrivateKeyDer::from_pem_file(edge.key).map_err(|error| failure(edge.key, &error))?;
    match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
        Ok(_) => Ok(whole),
        Err(rustls::Error::InconsistentKeys(_)) => Err(failure(
            edge.key,
            &format_args!("THE KEY DOES NOT BELONG to the certificate in `{}`", edge.cert.display()),
        )),
        Err(error) => Err(failure(edge.key, &error)),
    }
}

fn verdict(edge: &EdgeTls<'_>, Validity { from, to }: Validity, now: Timestamp) -> Check {
    let file = edge.cert.display();
    let days = to.duration_since(now).as_secs().div_euclid(DAY_SECS);
    let advice = "put a new certificate in its place and send the server SIGHUP (`systemctl reload`), or restart it";
    if to <= now {
        Check::new(edge.name, Verdict::Failure, format!("THE CERTIFICATE HAS EXPIRED: `{file}` ended at {to}"), advice)
    } else if now < from {
        let seen = format!("THE CERTIFICATE IS NOT YET VALID: `{file}` begins at {from}");
        Check::new(edge.name, Verdict::Failure, seen, "see that the clock is right, or wait")
    } else if days < DAYS_LEFT_MIN {
        let seen = format!("THE CERTIFICATE EXPIRES IN {}: `{file}` ends at {to}", count(days, "day").to_uppercase());
        Check::new(edge.name, Verdict::Warning, seen, advice)
    } else {
        Check::ok(edge.name, format!("`{file}` is good for {}, until {to}", count(days, "day")))
    }
}

/// The validity of a certificate (RFC 5280, section 4.1.2.5); the rest of it is passed over.
fn validity(certificate: &[u8]) -> der::Result<Validity> {
    SliceReader::new(certificate)?.sequence(|certificate| {
        let validity = certificate.sequence(|to_be_signed| {
            // The version is absent in version 1; then come serial number, signature algorithm and issuer.
            if to_be_signed.peek_tag()?.is_context_specific() {
                to_be_signed.tlv_bytes()?;
            }
            for _ in 0..3 {
                to_be_signed.tlv_bytes()?;
            }
            let validity = to_be_signed.sequence(|both| Ok(Validity { from: time(both)?, to: time(both)? }))?;
            rest(to_be_signed)?;
            Ok(validity)
        })?;
        rest(certificate)?;
        Ok(validity)
    })
}

fn rest<'a>(reader: &mut impl Reader<'a>) -> der::Result<()> {
    while !reader.is_finished() {
        reader.tlv_bytes()?;
    }
    Ok(())
}

fn time<'a>(reader: &mut impl Reader<'a>) -> der::Result<Timestamp> {
    let since_1970: Duration = match reader.peek_tag()? {
        Tag::UtcTime => UtcTime::decode(reader)?.to_unix_duration(),
        _ => GeneralizedTime::decode(reader)?.to_unix_duration(),
    };
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests;
