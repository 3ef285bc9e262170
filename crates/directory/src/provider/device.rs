//! The device code (RFC 8628): a terminal shows a short code, the person enters it in a browser where they are signed in.

use access::{AuthPosition, Changed, OpContext, ResourceRef};
use base::{Actor, ClientId, Ids, PersonId, Secret, SignInId, Timestamp};
use crypto::sha256;
use protocols::oidc::{DeviceRequest, Endpoints, ErrorCode, OAuthError, Scopes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ReadTxn, WriteTxn};

use super::{
    DEVICE_CODE_LASTS, DEVICE_INTERVAL, Provider, Tokens, USER_CODE_TRIES_MAX, agree, failed,
    families::Family,
    limits::{after, seconds},
};
use crate::{Client, Error, SignIn, clients, facts, signin::Act};

const CLASS: &str = "oidc_device";
const USER_CODES: &str = "oidc_user_code";
const TRIES: &str = "oidc_user_code_tries";

/// Letters that spell no word and look unlike each other (RFC 8628, section 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code: 20^8 = 2.5 * 10^10 codes.
const USER_CODE_CHARS: usize = 8;
/// How often another user code is drawn when one is taken.
const DRAWS_MAX: usize = 4;

/// What the device authorization endpoint gives.
pub struct DeviceCodes {
    device_code: Secret<String>,
    user_code: String,
    page: String,
}

impl DeviceCodes {
    /// The answer (RFC 8628, section 3.2).
    pub fn to_json(&self) -> Value {
        json!({
            "device_code": self.device_code.expose(),
            "user_code": self.user_code,
            "verification_uri": self.page,
            "verification_uri_complete": format!("{}?user_code={}", self.page, self.user_code),
            "expires_in": seconds(DEVICE_CODE_LASTS),
            "interval": seconds(DEVICE_INTERVAL),
        })
    }
}

/// What a user code stands for: the page shows it before the person agrees.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceAsked {
    /// The name of the client that waits.
    pub client: String,
    /// The code as it is shown on the device.
    pub user_code: String,
}

#[derive(Clone, Serialize, Deserialize)]
enum State {
    Waiting,
    Approved { person: PersonId, auth: AuthPosition, sign_in: SignInId },
    Denied,
}

#[derive(Clone, Serialize, Deserialize)]
struct Device {
    client: ClientId,
    client_name: String,
    scopes: String,
    user_code: String,
    state: State,
    polled: Option<Timestamp>,
    expires: Timestamp,
}

fn get(txn: &ReadTxn<'_>, hash: &[u8]) -> Result<Option<Device>, Error> {
    match txn.record_get(CLASS, hash)? {
        Some(record) => facts::record(&record.value, "device code").map(Some),
        None => Ok(None),
    }
}

fn put(txn: &mut WriteTxn<'_>, hash: &[u8], device: &Device) -> Result<(), Error> {
    txn.record_put(CLASS, hash, &facts::bytes(device)?, Some(device.expires))?;
    Ok(())
}

/// A typed user code in the one form that is stored: letters only, upper case.
fn plain(user_code: &str) -> Option<String> {
    let letters: String = user_code.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_uppercase();
    (user_code.len() <= 32 && letters.len() == USER_CODE_CHARS).then_some(letters)
}

/// What is left to do after a poll.
enum Polled {
    Approved(Box<(Device, PersonId, AuthPosition, SignInId)>),
    Refused(ErrorCode, &'static str),
}

fn poll(txn: &mut WriteTxn<'_>, hash: &[u8], client: ClientId) -> Result<Polled, Error> {
    let Some(mut device) = get(txn, hash)?.filter(|device| device.client == client) else {
        return Ok(Polled::Refused(
            ErrorCode::ExpiredToken,
            "the device code is not known or has expired: start again",
        ));
    };
    let now = txn.now();
    let too_soon = device.polled.is_some_and(|polled| now < after(polled, DEVICE_INTERVAL));
    match device.state.clone() {
        State::Approved { person, auth, sign_in } => {
            txn.record_delete(CLASS, hash)?;
            Ok(Polled::Approved(Box::new((device, person, auth, sign_in))))
        }
        State::Denied => {
            txn.record_delete(CLASS, hash)?;
            Ok(Polled::Refused(ErrorCode::AccessDenied, "the person said no"))
        }
        State::Waiting => {
            device.polled = Some(now);
            put(txn, hash, &device)?;
            Ok(match too_soon {
                true => Polled::Refused(ErrorCode::SlowDown, "ask at most every five seconds"),
                false => Polled::Refused(ErrorCode::AuthorizationPending, "the person has not answered yet"),
            })
        }
    }
}

impl Provider {
    fn user_code(&self) -> String {
        let letter = |byte: u8| ALPHABET.get(usize::from(byte) % ALPHABET.len()).map_or('B', |b| char::from(*b));
        // 240 is the largest multiple of 20 in a byte: larger bytes would favour some letters.
        let bytes = self.0.directory.0.crypto.bytes::<64>();
        bytes.into_iter().filter(|byte| *byte < 240).take(USER_CODE_CHARS).map(letter).collect()
    }

    /// Begins a device sign-in.
    ///
    /// # Errors
    /// [`OAuthError`]: the client is unknown or may not.
    pub async fn device(&self, request: DeviceRequest) -> Result<DeviceCodes, OAuthError> {
        let client = self.client(&request.client).await?;
        if !client.registered.device {
            let sentence = "this client is not registered for the device code";
            return Err(OAuthError::new(ErrorCode::UnauthorizedClient, sentence));
        }
        for _ in 0..DRAWS_MAX {
            let (code, letters) = (self.random(), self.user_code());
            let hash = sha256(code.as_bytes()).0;
            let device = Device {
                client: client.id,
                client_name: client.registered.name.clone(),
                scopes: request.scopes.text(),
                user_code: letters.clone(),
                state: State::Waiting,
                polled: None,
                expires: after(self.now(), DEVICE_CODE_LASTS),
            };
            let key = letters.clone();
            let made = self.0.directory.0.store.write(Actor::System, move |txn| -> Result<bool, Error> {
                let free = txn.record_insert(USER_CODES, key.as_bytes(), &hash, Some(device.expires))?;
                if free {
                    put(txn, &hash, &device)?;
                }
                Ok(free)
            });
            if made.await.map_err(failed)?.value {
                let (head, tail) = letters.split_at_checked(4).unwrap_or((&letters, ""));
                let page = self.endpoints().url(Endpoints::DEVICE_PAGE);
                return Ok(DeviceCodes { device_code: Secret::new(code), user_code: format!("{head}-{tail}"), page });
            }
        }
        Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "no device code is free: try again"))
    }

    /// Looks a user code up for a person who is signed in; wrong codes are counted.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a wrong or expired code; [`Error::Busy`] after too many wrong ones.
    pub async fn device_asked(&self, sign_in: &SignIn, user_code: &str) -> Result<DeviceAsked, Error> {
        let (letters, by) = (plain(user_code), sign_in.id);
        let found = self.0.directory.0.store.write(Actor::Person(sign_in.person), move |txn| -> Result<_, Error> {
            let tries = txn.record_get(TRIES, by.bytes())?;
            let count: u32 = tries.map_or(Ok(0), |record| facts::record(&record.value, "counter"))?;
            if count >= USER_CODE_TRIES_MAX {
                return Ok(Err(Error::Busy));
            }
            let device = find(txn, letters.as_deref())?.map(|(_, device)| device);
            if device.is_none() {
                let expires = after(txn.now(), DEVICE_CODE_LASTS);
                txn.record_put(TRIES, by.bytes(), &facts::bytes(&(count + 1))?, Some(expires))?;
            }
            Ok(device.ok_or(Error::NotFound { what: "device that waits with the code", name: String::new() }))
        });
        let device = found.await?.value?;
        let (head, tail) = device.user_code.split_at_checked(4).unwrap_or((&device.user_code, ""));
        Ok(DeviceAsked { client: device.client_name.clone(), user_code: format!("{head}-{tail}") })
    }

    /// Lets the device with this code sign in as the person, or not.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the code has expired or was answered.
    pub async fn device_decide(
        &self,
        op: &OpContext,
        sign_in: &SignIn,
        user_code: &str,
        yes: bool,
    ) -> Result<(), Error> {
        let asked = self.device_asked(sign_in, user_code).await?;
        let letters = plain(&asked.user_code);
        let state = match yes {
            true => State::Approved { person: sign_in.person, auth: sign_in.auth.clone(), sign_in: sign_in.id },
            false => State::Denied,
        };
        let (directory, op, by, person) = (self.0.directory.clone(), op.clone(), sign_in.id, sign_in.person);
        let decided = self.0.directory.0.store.write(Actor::Person(person), move |txn| -> Result<(), Error> {
            let missing = Error::NotFound { what: "device that waits with the code", name: String::new() };
            let (hash, device) = find(txn, letters.as_deref())?.ok_or(missing)?;
            txn.record_delete(USER_CODES, device.user_code.as_bytes())?;
            let client = device.client;
            let agreed = if yes { agree::put(txn, person, &clients::client_in(txn, client)?)? } else { None };
            put(txn, &hash, &Device { state: state.clone(), ..device })?;
            let answer = if yes { "approved" } else { "refused" };
            let (old, new) = (Some(json!({"state": "waiting"})), Some(json!({"state": answer})));
            let answered = Changed { kind: "device_code", subject: client.uuid(), old, new };
            let changed: Vec<Changed> = [answered].into_iter().chain(agreed).collect();
            let name = if yes { "DeviceApproved" } else { "DeviceRefused" };
            let object = Some(ResourceRef::Client(client));
            let parameters = Some(json!({"signIn": by, "client": client}));
            directory.record(txn, &op, Act { object, parameters, ..Act::of(name, person, &changed) })
        });
        decided.await.map(drop)
    }

    pub(super) async fn exchange_device(&self, client: &Client, code: &Secret<String>) -> Result<Tokens, OAuthError> {
        let (hash, id) = (sha256(code.expose().as_bytes()).0, client.id);
        let polled = self.0.directory.0.store.write(Actor::System, move |txn| poll(txn, &hash, id));
        let (device, person, auth, sign_in) = match polled.await.map_err(failed)?.value {
            Polled::Approved(approved) => *approved,
            Polled::Refused(code, sentence) => return Err(OAuthError::new(code, sentence)),
        };
        if !self.still_good(person, sign_in, &auth).await.map_err(failed)? {
            return Err(OAuthError::new(ErrorCode::InvalidGrant, "the sign-in was cut meanwhile: start again"));
        }
        let scopes = Scopes::parse(&device.scopes);
        let family = Family::new(&auth, client.id, person, sign_in, &device.scopes);
        let id = self.0.directory.0.effects.uuid();
        self.new_family(id, family.clone()).await.map_err(failed)?;
        let refresh = match scopes.offline_access {
            true => Some(self.first_refresh(id).await.map_err(failed)?),
            false => None,
        };
        self.tokens(client, client, id, &family, scopes, None, refresh).await
    }
}

/// The device that waits with these letters.
fn find(txn: &ReadTxn<'_>, letters: Option<&str>) -> Result<Option<(Vec<u8>, Device)>, Error> {
    let Some(letters) = letters else { return Ok(None) };
    let Some(record) = txn.record_get(USER_CODES, letters.as_bytes())? else { return Ok(None) };
    let device = get(txn, &record.value)?.filter(|device| matches!(device.state, State::Waiting));
    Ok(device.map(|device| (record.value, device)))
}
