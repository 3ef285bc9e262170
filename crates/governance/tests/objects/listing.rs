//! Lists agree with a plain model, for any prefix, delimiter, page size and visible area.

use super::world::{World, put};
use access::{Visible, s3};
use governance::objects::{Conditions, List, ListVersions};
use std::collections::BTreeSet;

const KEYS: [&str; 14] =
    ["a", "a-b", "a/", "a/b", "a/b/c", "a/b/d", "a/c", "a0", "b/x", "b/y/z", "c", "d/e/f", "d/e/g", "z~"];

async fn filled() -> World {
    let world = World::new().await;
    for key in KEYS {
        world.put(key, "x").await;
        world.put(key, "y").await;
    }
    // Deleted keys hide, and so does a common prefix of deleted keys alone.
    for key in ["gone", "gone-too/a", "gone-too/b", "a/gone"] {
        world.put(key, "x").await;
        world.objects.delete(world.permit(s3::DeleteObject, key), Conditions::default()).await.unwrap();
    }
    world
}

/// What S3 says a list is, over the live keys.
fn model(list: &List, seen: &Visible) -> Vec<String> {
    let mut out = BTreeSet::new();
    for key in KEYS.into_iter().filter(|key| key.starts_with(&list.prefix) && seen.contains(key)) {
        let rest = &key[list.prefix.len()..];
        let entry = match list.delimiter.as_deref().and_then(|d| rest.find(d).map(|at| at + d.len())) {
            Some(end) => &key[..list.prefix.len() + end],
            None => key,
        };
        if list.after.as_deref().is_none_or(|after| entry > after && key > after) {
            out.insert(entry.to_owned());
        }
    }
    out.into_iter().collect()
}

#[tokio::test]
async fn lists_agree_with_the_model() {
    let world = filled().await;
    let areas = [vec![""], vec!["a/"], vec!["a/b/", "d/"], vec!["b/y/"], vec![]];
    for area in areas {
        let seen = Visible::new(area.iter().map(|s| (*s).to_owned()).collect());
        for prefix in ["", "a", "a/", "a/b", "a/b/", "d/", "nothing"] {
            for delimiter in [None, Some("/"), Some("b"), Some("e/")] {
                for after in [None, Some("a"), Some("a/"), Some("a/b/c"), Some("b/"), Some("zz")] {
                    for limit in [1, 2, 3, 1000] {
                        let list = List {
                            prefix: prefix.to_owned(),
                            delimiter: delimiter.map(str::to_owned),
                            after: after.map(str::to_owned),
                            limit,
                        };
                        let wanted = model(&list, &seen);
                        let got = pages(&world, list.clone(), &seen).await;
                        assert_eq!(got, wanted, "{list:?} {area:?}");
                    }
                }
            }
        }
    }
}

/// All pages in order, each checked for its size.
async fn pages(world: &World, mut list: List, seen: &Visible) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let (keys, prefixes, next) = world.keys_seen(list.clone(), seen).await;
        let mut page: Vec<String> = keys.into_iter().chain(prefixes).collect();
        page.sort();
        assert!(page.len() <= list.limit);
        assert!(next.is_none() || page.len() == list.limit, "{list:?}");
        all.extend(page);
        match next {
            Some(next) => list.after = Some(next),
            None => return all,
        }
    }
}

#[tokio::test]
async fn a_page_of_nothing_is_not_truncated() {
    let world = filled().await;
    assert_eq!(world.keys(List::default()).await, (vec![], vec![], None));
}

#[tokio::test]
async fn many_old_versions_do_not_hide_the_next_key() {
    let world = World::new().await;
    for _ in 0..40 {
        futures::future::join_all((0..16).map(|_| world.try_put("busy", put("x")))).await;
    }
    world.put("later", "x").await;
    let (keys, ..) = world.keys(List { limit: 1000, ..List::default() }).await;
    assert_eq!(keys, ["busy", "later"]);
    let seen = Visible::new(vec![String::new()]);
    let (mut after, mut count, mut latest) = (None, 0, 0);
    loop {
        let list = ListVersions { limit: 97, after, ..ListVersions::default() };
        let page = world.objects.list_versions(world.bucket(s3::ListBucketVersions), &seen, list).await.unwrap();
        count += page.versions.len();
        latest += page.versions.iter().filter(|v| v.latest).count();
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!((count, latest), (641, 2));
}
