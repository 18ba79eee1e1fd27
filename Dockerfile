# One image with every program of Hubshift; the command says which one runs.
# An emulated hub alone: docs/hub-emulator.md, "In a container".
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked \
        -p hubshift-concierge -p hubshift-registry-sync -p hubshift-merge \
        -p hubshift-emulator -p hubshift-cli \
 && install -D -m 0755 -t /out \
        target/release/concierge target/release/registry-sync target/release/merge \
        target/release/hub-emulator target/release/hubshift deploy/image/ready

FROM debian:bookworm-slim
# openssl: makes the compose stack's certificates, and shows what is wrong with others.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates openssl \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin \
 && groupadd --gid 10001 hubshift \
 && useradd --uid 10001 --gid hubshift --no-create-home --home-dir /var/lib/hubshift \
        --shell /usr/sbin/nologin hubshift \
 && install -d -o hubshift -g hubshift -m 0750 \
        /var/lib/hubshift /srv/backups/east /srv/backups/west
COPY --from=build /out/ /usr/local/bin/
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/hubshift
CMD ["hubshift", "--help"]
