//! Policy documents: by digest, compiled once, and the managed policies that Galen brings.
//!
//! A document is stored under the SHA-256 of its canonical text and never changes, so that a decision can be
//! evaluated again years later. It must not know what a decision is.

use crypto::{Sha256Digest, sha256};
use hashbrown::{HashMap, HashSet};
use policy::{Compiled, Document, DocumentKind};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::{ReadTxn, Store, WriteTxn};

use crate::Error;
use crate::facts::NamedDocument;
use crate::index::Documents;
use crate::permit::EvaluationFault;

/// The usual data actions on `*`: a tool role needs nothing else, so that an owner handles grants alone.
pub const DATA_ACCESS: &str = "GalenDataAccess";
/// Beside the data actions: make buckets of one's own and empty them again.
pub const WORKSPACE: &str = "GalenWorkspace";
/// Runs the installation: people, groups, roles, clients, services, domains. Grants no data.
pub const ADMINISTRATOR: &str = "GalenAdministrator";
/// Owns or looks after datasets: registers, describes, grants, asks why.
pub const DATA_OWNER: &str = "GalenDataOwner";
/// Reads records and decisions; writes nothing.
pub const AUDITOR: &str = "GalenAuditor";
/// Every person: see one's own record and sessions, end one's own sessions.
pub const MEMBER: &str = "GalenMember";

/// The managed policies: name and text.
pub const MANAGED: &[(&str, &str)] = &[
    (DATA_ACCESS, include_str!("documents/GalenDataAccess.json")),
    (WORKSPACE, include_str!("documents/GalenWorkspace.json")),
    (ADMINISTRATOR, include_str!("documents/GalenAdministrator.json")),
    (DATA_OWNER, include_str!("documents/GalenDataOwner.json")),
    (AUDITOR, include_str!("documents/GalenAuditor.json")),
    (MEMBER, include_str!("documents/GalenMember.json")),
];

/// Characters of a role policy, white space not counted (AWS: managed policies).
pub const ROLE_POLICY_CHARS_MAX: usize = 6144;
/// Characters of a guardrail (AWS: service control policies).
pub const GUARDRAIL_CHARS_MAX: usize = 5120;
/// Characters of a dataset policy (AWS: bucket policies).
pub const DATASET_POLICY_CHARS_MAX: usize = 20_480;
/// Characters of a session policy (AWS STS).
pub const SESSION_POLICY_CHARS_MAX: usize = 2048;

/// Compiled documents that are kept; beyond it the cache starts anew (a document costs some kilobytes).
const CACHE_MAX: usize = 16_384;

/// The text of a managed policy.
pub fn managed(name: &str) -> Option<&'static str> {
    MANAGED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Reads `text` as a document of `kind` within its size bound.
///
/// # Errors
/// [`Error::Policy`] for text that is not such a document, [`Error::DocumentTooLong`] beyond the bound, and
/// [`Error::PublicPolicy`] for a dataset policy that allows everybody: public access is always blocked.
pub fn check(text: &str, kind: DocumentKind) -> Result<Document, Error> {
    let document = Document::parse(text, kind).map_err(|source| Error::Policy { source: Box::new(source) })?;
    let max = match kind {
        DocumentKind::Resource => DATASET_POLICY_CHARS_MAX,
        DocumentKind::ServiceControl => GUARDRAIL_CHARS_MAX,
        DocumentKind::Session => SESSION_POLICY_CHARS_MAX,
        _ => ROLE_POLICY_CHARS_MAX,
    };
    if document.characters() > max {
        return Err(Error::DocumentTooLong { characters: document.characters(), max });
    }
    if kind == DocumentKind::Resource && document.statements().iter().any(is_public) {
        return Err(Error::PublicPolicy);
    }
    Ok(document)
}

fn is_public(statement: &policy::Statement) -> bool {
    let anyone = |element: &policy::PrincipalElement| {
        element.negated || element.entries.iter().any(|entry| matches!(entry, policy::PrincipalEntry::Anyone))
    };
    statement.effect == policy::StatementEffect::Allow && statement.principal.as_ref().is_some_and(anyone)
}

/// Checks `text` and keeps it under its digest.
///
/// # Errors
/// As [`check`], and those of the store.
pub fn put(txn: &mut WriteTxn<'_>, text: &str, kind: DocumentKind) -> Result<Sha256Digest, Error> {
    let document = check(text, kind)?;
    let digest = sha256(document.canonical().as_bytes());
    txn.document_put(digest, document.canonical().as_bytes())?;
    Ok(digest)
}

/// Keeps the managed policy `name` and names it for a role.
///
/// # Errors
/// [`Error::NoManagedPolicy`], and as [`put`].
pub fn put_managed(txn: &mut WriteTxn<'_>, name: &str) -> Result<NamedDocument, Error> {
    let text = managed(name).ok_or_else(|| Error::NoManagedPolicy { name: name.to_owned() })?;
    Ok(NamedDocument { name: name.to_owned(), digest: put(txn, text, DocumentKind::Identity)? })
}

/// Compiles canonical bytes; their digest must be the one asked for.
pub(crate) fn compile(
    bytes: &[u8],
    digest: &Sha256Digest,
    kind: DocumentKind,
) -> Result<Arc<Compiled>, EvaluationFault> {
    if sha256(bytes) != *digest {
        return Err(EvaluationFault::DocumentMissing);
    }
    let document = Document::parse_bytes(bytes, kind).map_err(|_| EvaluationFault::DocumentMalformed)?;
    Ok(document.compile())
}

/// Documents of one snapshot, for loading and replay.
pub(crate) struct FromTxn<'a, 'b>(pub(crate) &'a ReadTxn<'b>);

impl Documents for FromTxn<'_, '_> {
    fn compiled(&self, digest: &Sha256Digest, kind: DocumentKind) -> Result<Arc<Compiled>, EvaluationFault> {
        let bytes = self.0.document_get(*digest).ok().flatten().ok_or(EvaluationFault::DocumentMissing)?;
        compile(&bytes, digest, kind)
    }
}

/// Documents of one snapshot that stay compiled in memory: for the load at the start.
pub(crate) struct Loading<'a, 'b>(pub(crate) FromTxn<'a, 'b>, pub(crate) &'a Library);

impl Documents for Loading<'_, '_> {
    fn compiled(&self, digest: &Sha256Digest, kind: DocumentKind) -> Result<Arc<Compiled>, EvaluationFault> {
        if let Some(compiled) = self.1.cached(digest, kind) {
            return Ok(compiled);
        }
        let compiled = self.0.compiled(digest, kind)?;
        self.1.keep(*digest, kind, &compiled);
        Ok(compiled)
    }
}

/// The documents of this process.
#[derive(Default)]
pub(crate) struct Library {
    cache: RwLock<HashMap<(Sha256Digest, DocumentKind), Arc<Compiled>>>,
    given: RwLock<HashMap<(Sha256Digest, DocumentKind), Given>>,
    wanted: Mutex<HashSet<(Sha256Digest, DocumentKind)>>,
}

impl Library {
    fn cached(&self, digest: &Sha256Digest, kind: DocumentKind) -> Option<Arc<Compiled>> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner).get(&(*digest, kind)).cloned()
    }

    fn keep(&self, digest: Sha256Digest, kind: DocumentKind, compiled: &Arc<Compiled>) {
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert((digest, kind), compiled.clone());
    }

    /// A document that came with the request: its canonical text, which a decision that cites it stores first.
    pub(crate) fn given(&self, text: &str, kind: DocumentKind) -> Result<Given, EvaluationFault> {
        let raw = sha256(text.as_bytes());
        if let Some(given) = self.given.read().unwrap_or_else(PoisonError::into_inner).get(&(raw, kind)) {
            return Ok(given.clone());
        }
        let given = given(text, kind)?;
        let mut cache = self.given.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert((raw, kind), given.clone());
        Ok(given)
    }
}

/// Compiles a document that is not kept yet.
pub(crate) fn given(text: &str, kind: DocumentKind) -> Result<Given, EvaluationFault> {
    let document = Document::parse(text, kind).map_err(|_| EvaluationFault::DocumentMalformed)?;
    let canonical: Arc<str> = document.canonical().into();
    Ok(Given { digest: sha256(canonical.as_bytes()), compiled: document.compile(), canonical })
}

/// A document that came with a request, or was made for it.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) digest: Sha256Digest,
    pub(crate) canonical: Arc<str>,
    pub(crate) compiled: Arc<Compiled>,
}

impl Documents for Library {
    /// From memory alone: the commit hook asks too, and it must not call the store. What is not there is noted, so that
    /// [`Library::fetch`] brings it; until then every evaluation that needs it is a deny.
    fn compiled(&self, digest: &Sha256Digest, kind: DocumentKind) -> Result<Arc<Compiled>, EvaluationFault> {
        self.cached(digest, kind).ok_or_else(|| {
            self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert((*digest, kind));
            EvaluationFault::DocumentMissing
        })
    }
}

impl Library {
    /// Whether documents are noted that [`Library::fetch`] has not looked for yet.
    pub(crate) fn wants(&self) -> bool {
        !self.wanted.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Looks in the store for what was noted; how many were found. What is not found is noted again when it is asked for.
    pub(crate) async fn fetch(&self, store: &Store) -> Result<usize, store::Error> {
        let wanted: Vec<_> = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let asked = wanted.clone();
        let found = store.read(move |txn| {
            let get = |(digest, kind): &(Sha256Digest, DocumentKind)| {
                // Bytes that do not match their digest are as good as none: the evaluation denies.
                let bytes = txn.document_get(*digest).ok().flatten()?;
                compile(&bytes, digest, *kind).ok().map(|compiled| (*digest, *kind, compiled))
            };
            Ok::<_, store::Error>(asked.iter().filter_map(get).collect::<Vec<_>>())
        });
        let found = found.await?;
        for (digest, kind, compiled) in &found {
            self.keep(*digest, *kind, compiled);
        }
        let mut left = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &wanted {
            left.remove(key);
        }
        Ok(found.len())
    }

    /// Keeps a document that was just checked, so that the commit which cites it finds it in memory.
    pub(crate) fn prepare(&self, document: &Document) {
        let digest = sha256(document.canonical().as_bytes());
        self.keep(digest, document.kind(), &document.compile());
    }
}
