-- Who may do what (DESIGN section 5); applied after every migration, so a role that was created later is served too.
-- app: appends events, moves the current state. reaper: retention and erasure. auditor: reads events, never secrets.
do $$
declare
  events constant text := 'consent_event, consent_revision, permit, denial, link_event, audit_event, policy_set';
  current_rows constant text := 'subject_state, identifier, control_challenge, confirmation, mail, match_review, obligation, client, endpoint, deployment, lease, rate_limit, campaign, staff_session, import_run';
begin
  if exists (select from pg_roles where rolname = 'askfirst_app') then
    execute 'revoke all on all tables in schema public from askfirst_app';
    execute 'grant usage on schema public to askfirst_app';
    execute 'grant select on migration to askfirst_app';
    execute format('grant select, insert on %s, birth_month, idempotency to askfirst_app', events);
    execute format('grant select, insert, update on %s to askfirst_app', current_rows);
  end if;
  if exists (select from pg_roles where rolname = 'askfirst_reaper') then
    execute 'revoke all on all tables in schema public from askfirst_reaper';
    execute 'grant usage on schema public to askfirst_reaper';
    execute 'grant select, delete on consent_event, consent_revision, birth_month, confirmation, mail, match_review, staff_session, permit, denial, link_event, audit_event, subject_state, identifier, control_challenge, obligation, idempotency, rate_limit to askfirst_reaper';
    execute 'grant select, insert, update on lease to askfirst_reaper';
  end if;
  if exists (select from pg_roles where rolname = 'askfirst_auditor') then
    execute 'revoke all on all tables in schema public from askfirst_auditor';
    execute 'grant usage on schema public to askfirst_auditor';
    execute format('grant select on %s, subject_state, obligation, deployment, campaign, import_run to askfirst_auditor', events);
  end if;
end $$;
