//! Public keys between the protocol's coordinates and p256's points.

use keybearer_crypto::{CryptoError, PublicKey};
use p256::Sec1Point;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::elliptic_curve::sec1::FromSec1Point;

/// The point with these coordinates, if it lies on the curve and is not the point at infinity.
///
/// P-256 has cofactor 1, so this is all of the validation in SP 800-56A section 5.6.2.3.3.
pub(crate) fn checked(key: &PublicKey) -> Result<p256::PublicKey, CryptoError> {
    let point = Sec1Point::from_affine_coordinates(&key.x.into(), &key.y.into(), false);
    p256::PublicKey::from_sec1_point(&point)
        .into_option()
        .ok_or(CryptoError::Rejected)
}

/// The coordinates of a point.
pub(crate) fn coordinates(key: &p256::PublicKey) -> PublicKey {
    let point = key.as_affine();
    PublicKey {
        x: point.x().into(),
        y: point.y().into(),
    }
}
