//! The policy of a dataset: what it may say, and how it is kept. It is set through S3 at a bucket's root and through the management
//! API; both come here. It must not know who may.

use access::facts::{self, DatasetLocation, Occupied};
use access::{Access, Action, Outcome, Permit};
use base::DatasetId;
use policy::{DocumentKind, StatementEffect};
use store::ReadTxn;

use crate::Error;

/// Sets the policy of `dataset`, which `permit` allows; `None` removes it.
///
/// # Errors
/// [`Error::BadPolicy`] for text that is no policy, or that allows anything; [`Error::NoSuchDataset`]; [`Error::ReasonMissing`] for GxP
/// data without a reason; those of the store.
pub(crate) async fn put<A: Action>(
    access: &Access,
    permit: Permit<A>,
    dataset: DatasetId,
    text: Option<String>,
    reason: Option<String>,
) -> Result<(), Error> {
    let location = access.location(dataset).ok_or(Error::NoSuchDataset { dataset })?;
    if let Some(Err(error)) = text.as_deref().map(|text| narrows(text, &location)) {
        permit.finish(Outcome { status: 400, bytes: 0 });
        return Err(error);
    }
    let keeper = access.clone();
    access
        .change(permit, move |txn| {
            let was = facts::location(txn, dataset)?.ok_or(Error::NoSuchDataset { dataset })?;
            if was.gxp && reason.is_none() {
                return Err(Error::ReasonMissing);
            }
            let policy = match &text {
                Some(text) => Some(keeper.put_document(txn, text, DocumentKind::Resource)?),
                None => None,
            };
            if was.policy != policy {
                // Its places stay as they are, so that none is asked about.
                facts::put_location(
                    txn,
                    &DatasetLocation { policy, ..was },
                    |_, _| Ok(Occupied::No),
                    reason.as_deref(),
                )?;
            }
            Ok(())
        })
        .await
}

/// A dataset policy takes away and never gives: an Allow in it would have no effect, so it is refused rather than ignored.
fn narrows(text: &str, location: &DatasetLocation) -> Result<(), Error> {
    const ONLY_DENY: &str = "a dataset policy only narrows: write Deny statements, and give access by grants";
    let document = match access::documents::check(text, DocumentKind::Resource) {
        Ok(document) => document,
        Err(access::Error::PublicPolicy) => return Err(Error::BadPolicy { rule: ONLY_DENY.to_owned() }),
        Err(access::Error::Policy { source }) => return Err(Error::BadPolicy { rule: source.to_string() }),
        Err(other) => return Err(Error::BadPolicy { rule: other.to_string() }),
    };
    if document.statements().iter().any(|statement| statement.effect == StatementEffect::Allow) {
        return Err(Error::BadPolicy { rule: ONLY_DENY.to_owned() });
    }
    let named = document.statements().iter().filter_map(|statement| statement.resource.as_ref());
    let mut named = named.filter(|selector| !selector.negated).flat_map(|selector| &selector.values);
    let reached = |resource: &&String| location.places.iter().any(|place| can_reach(resource, &place.bucket));
    match named.find(|resource| !reached(resource)) {
        Some(resource) => {
            let bucket = location.places.first().map(|place| place.bucket.as_str()).unwrap_or_default();
            Err(Error::BadPolicy { rule: format!("`{resource}` is nothing in the bucket `{bucket}`") })
        }
        None => Ok(()),
    }
}

/// Whether a `Resource` can name the bucket or something in it: one that cannot would be a rule without effect.
fn can_reach(resource: &str, bucket: &str) -> bool {
    let Some(place) = resource.splitn(6, ':').nth(5) else { return true };
    let (fixed, open) = place.find(['*', '?', '$']).and_then(|at| place.split_at_checked(at)).unwrap_or((place, ""));
    match fixed.strip_prefix(bucket) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => !open.is_empty() && bucket.starts_with(fixed),
    }
}

/// The text of a policy that a dataset names.
///
/// # Errors
/// [`Error::Damaged`] when it is not kept; those of the store.
pub(crate) fn document(txn: &ReadTxn<'_>, digest: &crypto::Sha256Digest) -> Result<String, Error> {
    let bytes = txn.document_get(*digest)?.ok_or(Error::Damaged { what: "dataset policy" })?;
    String::from_utf8(bytes).map_err(|_| Error::Damaged { what: "dataset policy" })
}
