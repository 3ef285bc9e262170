//! Local only.
#[path = "wire.rs"]
mod wire;
#[path = "world.rs"]
mod world;
#[tokio::test(flavor = "multi_thread")]
async fn hold() {
    if std::env::var_os("GALEN_HOLD").is_none() { return; }
    let world = world::World::new().await;
    let creds = |keys: &wire::Keys| serde_json::json!({"access_key_id": keys.id, "secret_access_key": keys.secret, "session_token": keys.token});
    let out = serde_json::json!({"aws": format!("http://{}", world.host()), "region": wire::REGION, "ann": creds(&world.ann), "bob": creds(&world.bob), "olga": creds(&world.olga), "role": world.roles.reader});
    std::fs::write("/var/tmp/hold.json", out.to_string()).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1500)).await;
}
