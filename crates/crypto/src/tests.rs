//! Known answers from the standards, and round trips of every scheme.

use base::{Entropy, Secret};

use super::*;

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

#[test]
fn digests_of_abc_are_those_of_fips_180() {
    assert_eq!(sha256(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hex::encode(sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(
        hex::encode(sha384(b"abc")),
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
    );
    assert!(hex::encode(sha512(b"abc")).starts_with("ddaf35a193617abacc417349ae204131"));
}

#[test]
fn pieces_hash_as_the_whole() {
    let mut whole = Sha256::new();
    let mut legacy = Sha1::new();
    for piece in [&b"a"[..], b"", b"bc"] {
        whole.update(piece);
        legacy.update(piece);
    }
    assert_eq!(whole.finish(), sha256(b"abc"));
    assert_eq!(legacy.finish(), sha1(b"abc"));
}

#[test]
fn a_digest_has_one_text() {
    let digest = sha256(b"abc");
    assert_eq!(digest.to_string().parse::<Sha256Digest>().unwrap(), digest);
    for bad in ["", "ba78", &digest.to_string().to_uppercase(), &format!("{digest}00"), &format!(" {digest}")] {
        assert!(bad.parse::<Sha256Digest>().is_err(), "{bad}");
    }
}

#[test]
fn hmac_is_that_of_rfc_4231_case_2() {
    let code = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
    assert_eq!(hex::encode(code), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    let key = HmacKey::new(b"Jefe");
    assert_eq!(key.sign_parts(&[b"what do ya ", b"want for nothing?"]), code);
    assert!(verify_hmac_sha256(b"Jefe", b"what do ya want for nothing?", &code).is_ok());
    assert!(verify_hmac_sha256(b"Jefe", b"what do ya want for nothing!", &code).is_err());
    assert!(key.verify(b"what do ya want for nothing?", &code[..31]).is_err(), "a short code is no code");
}

#[test]
fn hkdf_is_that_of_rfc_5869_case_1() {
    let mut out = [0; 42];
    let salt = hex::decode("000102030405060708090a0b0c").unwrap();
    let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
    hkdf_sha256(&[0x0b; 22], &salt, &[&info], &mut out).unwrap();
    assert_eq!(
        hex::encode(out),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    );
    let mut long = vec![0; HKDF_OUTPUT_BYTES_MAX + 1];
    assert!(matches!(hkdf_sha256(b"x", b"", &[], &mut long), Err(Error::TooMuchOutput { .. })));
    hkdf_sha256(b"x", b"", &[], &mut long[1..]).unwrap();
}

#[test]
fn comparison_needs_equal_length_and_bytes() {
    assert!(constant_time_eq(b"abc", b"abc"));
    assert!(!constant_time_eq(b"abc", b"abd"));
    assert!(!constant_time_eq(b"abc", b"ab"));
}

#[test]
fn aes_gcm_is_that_of_the_gcm_paper_case_16() {
    let key =
        AeadKey::new(&Secret::new(unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))).unwrap();
    let nonce = unhex("cafebabefacedbaddecaf888");
    let associated = hex::decode("feedfacedeadbeeffeedfacedeadbeefabaddad2").unwrap();
    let plain = hex::decode(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    )
    .unwrap();
    let mut data = plain.clone();
    key.seal_in_place(nonce, &associated, &mut data).unwrap();
    assert_eq!(hex::encode(&data[plain.len()..]), "76fc6ece0f4e1768cddf8853bb2d551b");
    assert!(hex::encode(&data).starts_with("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c9"));

    let mut detached = plain.clone();
    let tag = key.seal_detached(nonce, &associated, &mut detached).unwrap();
    assert_eq!([detached.as_slice(), &tag].concat(), data);
    key.open_detached(nonce, &associated, &mut detached, &tag).unwrap();
    assert_eq!(detached, plain);
    assert_eq!(key.open_in_place(nonce, &associated, &mut data).unwrap(), plain);
}

#[test]
fn any_altered_byte_does_not_open() {
    let crypto = Crypto::default();
    let (_, key) = crypto.generate_aead().unwrap();
    let nonce = crypto.nonce();
    let mut sealed = b"measured value".to_vec();
    key.seal_in_place(nonce, b"dataset", &mut sealed).unwrap();
    for index in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[index] ^= 1;
        assert!(matches!(key.open_in_place(nonce, b"dataset", &mut altered), Err(Error::DoesNotOpen)), "{index}");
    }
    assert!(key.open_in_place(nonce, b"another", &mut sealed.clone()).is_err());
    assert!(key.open_in_place([0; 12], b"dataset", &mut sealed.clone()).is_err());
    assert!(key.open_in_place(nonce, b"dataset", &mut [0; 3]).is_err(), "shorter than a tag");
}

#[test]
fn ed25519_is_that_of_rfc_8032_test_2() {
    let seed = unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let key = PrivateKey::ed25519_from_seed(&Secret::new(seed)).unwrap();
    let public = key.public_key().unwrap();
    assert_eq!(
        public,
        PublicKey::Ed25519 { x: unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c") }
    );
    let signature = key.sign(SignatureScheme::EdDsa, &[0x72]).unwrap();
    assert_eq!(
        hex::encode(&signature),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
    public.verify(SignatureScheme::EdDsa, &[0x72], &signature).unwrap();
}

#[test]
fn every_scheme_signs_verifies_and_refuses() {
    let crypto = Crypto::default();
    let rsa = [SignatureScheme::Rs256, SignatureScheme::Rs384, SignatureScheme::Rs512, SignatureScheme::Ps256];
    let cases: [(KeyAlgorithm, &[SignatureScheme]); 4] = [
        (KeyAlgorithm::Ed25519, &[SignatureScheme::EdDsa]),
        (KeyAlgorithm::P256, &[SignatureScheme::Es256]),
        (KeyAlgorithm::P384, &[SignatureScheme::Es384]),
        (KeyAlgorithm::Rsa2048, &rsa),
    ];
    for (algorithm, schemes) in cases {
        let made = crypto.generate(algorithm).unwrap();
        let key = PrivateKey::from_pkcs8(algorithm, &made.to_pkcs8().unwrap()).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let public = made.public_key().unwrap();
        assert!(key.public_key().unwrap() == public, "the document keeps the key");
        assert!(schemes.contains(&key.default_scheme()));
        for scheme in schemes {
            let signature = key.sign(*scheme, b"claims").unwrap();
            public.verify(*scheme, b"claims", &signature).unwrap();
            assert!(matches!(public.verify(*scheme, b"claimz", &signature), Err(Error::DoesNotVerify)));
            let mut altered = signature.clone();
            altered[5] ^= 1;
            assert!(public.verify(*scheme, b"claims", &altered).is_err());
            let ready = VerifyingKey::new(&public, *scheme);
            assert_eq!(ready.is_some(), algorithm == KeyAlgorithm::Rsa2048);
            if let Some(ready) = ready {
                ready.verify(b"claims", &signature).unwrap();
                assert!(matches!(ready.verify(b"claimz", &signature), Err(Error::DoesNotVerify)));
                assert!(ready.verify(b"claims", &altered).is_err());
                let other =
                    if *scheme == SignatureScheme::Ps256 { SignatureScheme::Rs256 } else { SignatureScheme::Ps256 };
                let other = key.sign(other, b"claims").unwrap();
                assert!(ready.verify(b"claims", &other).is_err(), "it keeps to its scheme");
            }
        }
        let foreign = if algorithm == KeyAlgorithm::P256 { SignatureScheme::Es384 } else { SignatureScheme::Es256 };
        assert!(matches!(key.sign(foreign, b""), Err(Error::WrongScheme { .. })));
        assert!(matches!(public.verify(foreign, b"", b""), Err(Error::WrongScheme { .. })));
    }
}

#[test]
fn es256_verifies_the_example_of_rfc_7515_a3() {
    let x = unhex("7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445");
    let y = unhex("c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad");
    let message = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    // The signature of the RFC as the octets printed in A.3.1.
    let octets: [u8; 64] = [
        14, 209, 33, 83, 121, 99, 108, 72, 60, 47, 127, 21, 88, 7, 212, 2, 163, 178, 40, 3, 58, 249, 124, 126, 23, 129,
        154, 195, 22, 158, 166, 101, 197, 10, 7, 211, 140, 60, 112, 229, 216, 241, 45, 175, 8, 74, 84, 128, 166, 101,
        144, 197, 242, 147, 80, 154, 143, 63, 127, 138, 131, 163, 84, 213,
    ];
    PublicKey::P256 { x, y }.verify(SignatureScheme::Es256, message, &octets).unwrap();
}

#[test]
fn names_of_schemes_are_closed() {
    assert_eq!(SignatureScheme::from_name("ES256"), Some(SignatureScheme::Es256));
    for name in ["none", "None", "HS256", "es256", "", "ES256 "] {
        assert_eq!(SignatureScheme::from_name(name), None, "{name}");
    }
}

#[test]
fn malformed_keys_are_refused() {
    let nothing = Secret::new(vec![0x30, 0]);
    for algorithm in [KeyAlgorithm::Ed25519, KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Rsa2048] {
        assert!(matches!(PrivateKey::from_pkcs8(algorithm, &nothing), Err(Error::BadKey { .. })));
    }
    assert!(PublicKey::ed25519(&[0; 31]).is_err());
    assert!(PublicKey::p256_from_point(&[4; 64]).is_err());
    assert!(PublicKey::p256_from_point(&[2; 65]).is_err());
    let off_curve = PublicKey::P256 { x: [1; 32], y: [1; 32] };
    assert!(matches!(off_curve.verify(SignatureScheme::Es256, b"m", &[1; 64]), Err(Error::DoesNotVerify)));
    let short = PublicKey::Rsa { n: vec![0xff; 128], e: vec![1, 0, 1] };
    assert!(short.verify(SignatureScheme::Rs256, b"m", &[1; 128]).is_err(), "1024 bits are too few");
    let ready = VerifyingKey::new(&short, SignatureScheme::Rs256);
    assert!(ready.is_none_or(|ready| ready.verify(b"m", &[1; 128]).is_err()), "1024 bits are too few");
}

#[test]
fn the_system_gives_different_bytes_each_time() {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    SystemEntropy.fill(&mut first);
    SystemEntropy.fill(&mut second);
    assert_ne!(first, second);
    assert!(!Crypto::default().fips(), "this build links the ordinary library");
}

/// Bytes of ids come from a stock of each thread: nobody gets a byte that somebody had, and a wish beyond the stock is met.
#[test]
fn public_bytes_are_given_out_once() {
    let draw = || -> Vec<[u8; 10]> {
        let one = |_| {
            let mut out = [0; 10];
            SystemEntropy.fill_public(&mut out);
            out
        };
        (0..500).map(one).collect()
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
    let mut seen: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let drawn = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((drawn, seen.len()), (2000, 2000));
    let mut large = [0; 4096];
    SystemEntropy.fill_public(&mut large);
    assert!(large.iter().filter(|byte| **byte == 0).count() < 64, "4096 random bytes hold about 16 zeros");
}
