//! `coset`, which nobody here wrote, as the judge of our COSE.

use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use coset::cbor::value::Value;
use coset::cwt::ClaimsSet;
use coset::{
    CborSerializable, CoseEncrypt, CoseEncryptBuilder, CoseKdfContextBuilder, CoseKey,
    CoseKeyBuilder, CoseRecipientBuilder, CoseSign1, CoseSign1Builder, EncryptionContext, Header,
    HeaderBuilder, Nonce as PartyNonce, PartyInfoBuilder, ProtectedHeader,
    RegisteredLabelWithPrivate, SuppPubInfoBuilder, enc_structure_data, iana,
};
use keybearer_crypto::{Crypto, Digest, Label, Nonce as Iv, PrivateKeys, Signer as _};

use super::exchanges::{answer, ask, build, granted};
use super::samples::{bare_acquire, denial, head, info, license, revocation_list, service};
use super::world::{CRYPTO, NOW, TestRng, World, challenge, mac_key, public, serial, signer};
use crate::cose::encrypt::{SealContext, Sealed, bound_values, enc_structure, kdf_context};
use crate::cose::sign::to_be_signed;
use crate::*;

fn alg(alg: iana::Algorithm) -> Option<RegisteredLabelWithPrivate<iana::Algorithm>> {
    Some(RegisteredLabelWithPrivate::Assigned(alg))
}

/// Reads one of our signed objects with coset and verifies it there.
fn judge_sign1(bytes: &[u8], key: &PublicKey) -> CoseSign1 {
    let message = CoseSign1::from_slice(bytes).unwrap();
    assert_eq!(message.protected.header.alg, alg(iana::Algorithm::ESP256));
    assert!(message.unprotected.is_empty());
    let protected = message.protected.original_data.clone().unwrap();
    let ours = to_be_signed(&protected, message.payload.as_ref().unwrap()).unwrap();
    assert_eq!(message.tbs_data(&[]), ours.as_slice());
    let verify = |signature: &[u8], signed: &[u8]| {
        CRYPTO.verify(key, signed, &Signature(signature.try_into().unwrap()))
    };
    message.verify_signature(&[], verify).unwrap();
    assert_eq!(message.clone().to_vec().unwrap(), bytes);
    message
}

fn header_value(header: &Header, label: i64) -> Option<&Value> {
    let label = coset::Label::Int(label);
    header
        .rest
        .iter()
        .find(|(name, _)| *name == label)
        .map(|(_, value)| value)
}

#[test]
fn coset_reads_our_signed_messages() {
    let world = World::new();
    let mut service = service(&world);
    let leaf = service.chain.leaf.clone();
    let identity = &mut service.identity();
    let bytes = seal_service_info(&CRYPTO, identity, &world.anchor, &info()).unwrap();
    let message = judge_sign1(&bytes, &public("service"));
    let header = &message.protected.header;
    let typ = Value::Text(MessageType::ServiceInfo.media_type().to_owned());
    assert_eq!(header_value(header, 16), Some(&typ));
    // The certificate in `kcwt` is itself a message that coset verifies.
    let kcwt = header_value(header, 13).unwrap().clone().to_vec().unwrap();
    assert_eq!(kcwt, leaf);
    judge_sign1(&kcwt, &public("service issuer"));
    let root = header_value(header, -65539)
        .unwrap()
        .clone()
        .to_vec()
        .unwrap();
    assert_eq!(public_key_from_cose(&root), Ok(world.anchor));

    let bytes = sign_revocation_list(identity, &revocation_list()).unwrap();
    judge_sign1(&bytes, &public("service"));
}

#[test]
fn coset_reads_our_certificates_as_cwt() {
    let world = World::new();
    let service = service(&world);
    let certificate = judge_sign1(&service.chain.leaf, &public("service issuer"));
    let issuer = key_digest(&CRYPTO, &public("service issuer")).unwrap();
    assert_eq!(certificate.protected.header.key_id, issuer.0);
    let claims = ClaimsSet::from_slice(&certificate.payload.unwrap()).unwrap();
    assert_eq!(claims.subject.as_deref(), Some("service"));
    let seconds = |time: UnixTime| {
        Some(coset::cwt::Timestamp::WholeSeconds(
            time.0.try_into().unwrap(),
        ))
    };
    assert_eq!(
        claims.expiration_time,
        seconds(UnixTime(NOW.0 + 20 * 24 * 3600))
    );
    assert_eq!(claims.not_before, seconds(UnixTime(NOW.0 - 24 * 3600)));
    assert_eq!(claims.cwt_id, Some(serial("service").0.to_vec()));

    let device = world.device("device");
    judge_sign1(&device.chain.leaf, &public("device issuer"));
    judge_sign1(&device.chain.issuers[0], &world.anchor);
}

#[test]
fn coset_makes_the_same_cose_key() {
    let key = public("service");
    let made =
        CoseKeyBuilder::new_ec2_pub_key(iana::EllipticCurve::P_256, key.x.into(), key.y.into())
            .build();
    let bytes = cose_key(&key).unwrap();
    assert_eq!(made.clone().to_vec().unwrap(), bytes);
    assert_eq!(CoseKey::from_slice(&bytes).unwrap(), made);
    assert_eq!(public_key_from_cose(&bytes), Ok(key));
}

/// COSE_KDF_Context as coset makes it.
fn their_context(context: &SealContext<'_>, other: &Digest) -> Vec<u8> {
    let party = |nonce: Option<Vec<u8>>| {
        let builder = PartyInfoBuilder::new();
        match nonce {
            Some(nonce) => builder.nonce(PartyNonce::Bytes(nonce)).build(),
            None => builder.build(),
        }
    };
    let protected = HeaderBuilder::new()
        .algorithm(iana::Algorithm::ECDH_ES_HKDF_256)
        .build();
    let public_info = SuppPubInfoBuilder::new()
        .key_data_length(256)
        .protected(protected)
        .other(other.0.to_vec())
        .build();
    CoseKdfContextBuilder::new()
        .algorithm(iana::Algorithm::A256GCM)
        .party_u_info(party(Some(context.request_id.0.to_vec())))
        .party_v_info(party(context.license_id.map(|id| id.0.to_vec())))
        .supp_pub_info(public_info)
        .build()
        .to_vec()
        .unwrap()
}

#[test]
fn coset_makes_the_same_kdf_context() {
    let (id, license_id) = (RequestId([1; 16]), LicenseId([2; 16]));
    let (request, device) = (Digest([3; 32]), Digest([4; 32]));
    let recipient_protected = [0xa1, 0x01, 0x38, 0x18];
    for (license_id, request, device) in [
        (None, None, None),
        (Some(&license_id), Some(&request), Some(&device)),
    ] {
        let context = SealContext {
            label: Label::Answer,
            request_id: &id,
            license_id,
            request,
            device,
        };
        let (a, b) = (public("a"), public("b"));
        let other = bound_values(&CRYPTO, &context, &a, &b).unwrap();
        let ours = kdf_context(&context, &recipient_protected, &other).unwrap();
        assert_eq!(their_context(&context, &other), ours);
    }
}

#[test]
fn coset_opens_our_sealed_messages() {
    let world = World::new();
    let mut service = service(&world);
    let (bytes, pending) = build(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let id = pending.request_id();
    let context = SealContext {
        label: Label::Request,
        request_id: &id,
        license_id: None,
        request: None,
        device: None,
    };
    let signed = coset_opens(
        &bytes,
        &service.agreement,
        &service.agreement_public,
        &context,
    );
    assert_eq!(CRYPTO.sha256(&[&signed]), pending.request_digest());
    judge_sign1(&signed, &public("device"));

    let opened = open_license_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    let bytes = answer(&mut service, &opened, &license());
    let exchange = &opened.exchange;
    let context = SealContext {
        label: Label::Answer,
        request_id: &id,
        license_id: Some(&LicenseId([0x1c; 16])),
        request: Some(&exchange.request_digest),
        device: exchange.device.as_ref(),
    };
    let key = &pending.common.agreement;
    let signed = coset_opens(&bytes, key, &exchange.agreement_key, &context);
    judge_sign1(&signed, &public("service"));
}

/// Opens a message with coset's structures and our primitives.
fn coset_opens(
    bytes: &[u8],
    private: &Secret<32>,
    public: &PublicKey,
    context: &SealContext<'_>,
) -> Vec<u8> {
    let message = CoseEncrypt::from_slice(bytes).unwrap();
    assert_eq!(message.clone().to_vec().unwrap(), bytes);
    assert_eq!(message.protected.header.alg, alg(iana::Algorithm::A256GCM));
    let recipient = &message.recipients[0];
    assert_eq!(
        recipient.protected.header.alg,
        alg(iana::Algorithm::ECDH_ES_HKDF_256)
    );
    let ephemeral = header_value(&recipient.unprotected, -1)
        .unwrap()
        .clone()
        .to_vec()
        .unwrap();
    let ephemeral = public_key_from_cose(&ephemeral).unwrap();
    let salt = match header_value(&recipient.unprotected, -20) {
        Some(Value::Bytes(salt)) => salt.clone(),
        _ => Vec::new(),
    };
    let shared = CRYPTO.agree(private, &ephemeral).unwrap();
    let other = bound_values(&CRYPTO, context, &ephemeral, public).unwrap();
    let key = CRYPTO.hkdf_sha256(&salt, &shared, &[&their_context(context, &other)]);
    let iv = Iv(message.unprotected.iv.as_slice().try_into().unwrap());
    message
        .decrypt_ciphertext(
            &[],
            || unreachable!("the ciphertext is there"),
            |ciphertext, aad| {
                let mut data = ciphertext.to_vec();
                CRYPTO.open(&key, &iv, aad, &mut data).map(|()| data)
            },
        )
        .unwrap()
}

#[test]
fn coset_makes_the_same_enc_structure() {
    let header = HeaderBuilder::new()
        .algorithm(iana::Algorithm::A256GCM)
        .build();
    let protected = ProtectedHeader {
        original_data: None,
        header,
    };
    let theirs = enc_structure_data(EncryptionContext::CoseEncrypt, protected, &[]);
    assert_eq!(theirs, enc_structure(&[0xa1, 0x01, 0x03]).unwrap());
}

/// A denial made with nothing but coset and our primitives.
fn denial_by_coset(world: &World, exchange: &Exchange) -> Vec<u8> {
    let service = service(world);
    let value = |bytes: &[u8]| Value::from_slice(bytes).unwrap();
    let int = |number: i64| Value::Integer(number.into());
    let issuers = service
        .chain
        .issuers
        .iter()
        .map(|issuer| value(issuer))
        .collect();
    let header = HeaderBuilder::new()
        .algorithm(iana::Algorithm::ESP256)
        .value(13, value(&service.chain.leaf))
        .value(
            16,
            Value::Text(MessageType::Denial.media_type().to_string()),
        )
        .value(-65537, int(1))
        .value(-65538, Value::Array(issuers))
        .build();
    let head = head("next");
    let body = Value::Map(vec![
        (int(6), int(NOW.0.try_into().unwrap())),
        (
            int(-65542),
            Value::Bytes(exchange.request_digest.0.to_vec()),
        ),
        (int(-65543), Value::Bytes(head.next_challenge.0.to_vec())),
        (
            int(-65564),
            Value::Map(vec![(
                int(1),
                int(DenialReason::NotAuthorised.code().into()),
            )]),
        ),
    ]);
    let sign = |message: &[u8]| signer("service").sign(message).unwrap().0.to_vec();
    let signed = CoseSign1Builder::new()
        .protected(header)
        .payload(body.to_vec().unwrap())
        .create_signature(&[], sign)
        .build()
        .to_vec()
        .unwrap();

    let rng = &mut TestRng::new("coset");
    let (ephemeral, shared) = CRYPTO
        .agree_ephemeral(rng, &exchange.agreement_key)
        .unwrap();
    let context = SealContext {
        label: Label::Answer,
        request_id: &exchange.request_id,
        license_id: None,
        request: Some(&exchange.request_digest),
        device: exchange.device.as_ref(),
    };
    let other = bound_values(&CRYPTO, &context, &ephemeral, &exchange.agreement_key).unwrap();
    let info = their_context(&context, &other);
    let salt = exchange.request_digest.0;
    let key = CRYPTO.hkdf_sha256(&salt, &shared, &[&info]);
    let recipient = CoseRecipientBuilder::new()
        .protected(
            HeaderBuilder::new()
                .algorithm(iana::Algorithm::ECDH_ES_HKDF_256)
                .build(),
        )
        .unprotected(
            HeaderBuilder::new()
                .value(-1, value(&cose_key(&ephemeral).unwrap()))
                .value(-20, Value::Bytes(salt.to_vec()))
                .build(),
        )
        .ciphertext(vec![])
        .build();
    let encrypt = |plaintext: &[u8], aad: &[u8]| {
        let mut data = plaintext.to_vec();
        CRYPTO.seal(&key, &Iv([9; 12]), aad, &mut data).unwrap();
        data
    };
    CoseEncryptBuilder::new()
        .protected(
            HeaderBuilder::new()
                .algorithm(iana::Algorithm::A256GCM)
                .build(),
        )
        .unprotected(HeaderBuilder::new().iv(vec![9; 12]).build())
        .create_ciphertext(&signed, &[], encrypt)
        .add_recipient(recipient)
        .build()
        .to_vec()
        .unwrap()
}

#[test]
fn we_accept_what_coset_makes() {
    let world = World::new();
    let service = service(&world);
    let (pending, opened) = ask(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let bytes = denial_by_coset(&world, &opened.exchange);
    let answer = open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes)
        .ok()
        .unwrap();
    match answer.outcome {
        LicenseOutcome::Denied(denial) => {
            assert_eq!(denial, Denial::new(DenialReason::NotAuthorised));
        }
        other => drop(granted(other)),
    }
    assert_eq!(answer.next_challenge, challenge("next"));
    assert!(check_challenge(&CRYPTO, &mac_key(), &answer.next_challenge, NOW).is_ok());
    // The same envelope, read by our own parser.
    let sealed = Sealed::parse(&bytes, 1 << 16).unwrap();
    assert_eq!(sealed.request, Some(pending.request_digest()));
    assert_ne!(denial().reason, DenialReason::NotAuthorised);
}
