-- The key store: the app adds and reads keys, only the reaper destroys one, auditors see none. Re-wrapping is the owner's.
do $$
begin
  if exists (select from pg_roles where rolname = 'askfirst_app') then
    revoke all on all tables in schema public from askfirst_app;
    grant usage on schema public to askfirst_app;
    grant select on migration to askfirst_app;
    grant select, insert on subject_key, service_key to askfirst_app;
  end if;
  if exists (select from pg_roles where rolname = 'askfirst_reaper') then
    revoke all on all tables in schema public from askfirst_reaper;
    grant usage on schema public to askfirst_reaper;
    grant select, delete on subject_key to askfirst_reaper;
  end if;
end $$;
