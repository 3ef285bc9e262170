//! Erasing a person, after two approvals.
//!
//! The person's key is destroyed, so that everything sealed under it is noise; memberships end; everything open is cut.
//! Facts and ledger entries stay as they are and still verify. The source identity stays reserved for ever.

use access::{EpochKey, facts::view};
use base::PersonId;
use store::WriteTxn;

use crate::{
    Error,
    facts::{self, ApprovalBody},
    membership, people, signin,
};

/// Destroys what is known of a person.
pub(crate) fn perform(
    txn: &mut WriteTxn<'_>,
    person: PersonId,
    (requested, approved): (ApprovalBody, ApprovalBody),
    names: Option<&people::Names>,
    reason: Option<&str>,
) -> Result<(), Error> {
    people::not_erased(txn, person)?;
    membership::end_all(txn, view::BY_MEMBER, &person.to_string(), reason)?;
    facts::add(txn, facts::PERSON_ERASED, person.uuid(), &facts::PersonErased { requested, approved }, reason)?;
    access::epoch::raise(txn, EpochKey::Person { person }, reason.map(str::to_owned))?;
    if let Some(names) = names {
        names.free(txn, person)?;
        crate::lockout::forgive(txn, &names.username)?;
    }
    signin::end_all_of(txn, person)?;
    txn.subject_key_destroy(person.uuid())?;
    Ok(())
}
