-- From schema 1 to 2, after the new columns are there. The documents' shapes are those that version 1 wrote.

-- Items are found by their machine. What is due for each is found out at the first tick.
UPDATE items SET moment = 0,
  subject = lower(json_extract(body, '$.resourceGroup')) || '/' || lower(json_extract(body, '$.vm'));

-- A vault's days of cleaning up have a table of their own, and are due by their moment.
INSERT INTO cleanups (key, vault, body, moment)
  SELECT vault, vault, body, 0 FROM meta WHERE key LIKE 'cleaned/%';
DELETE FROM meta WHERE key LIKE 'cleaned/%';

-- Points were in the vault from the start, and their disks were read as they are.
UPDATE points SET body = json_remove(
  json_set(body,
    '$.consistency', 'crash',
    '$.hardened', json_object(
      'snapshot', json_extract(body, '$.snapshot'), 'logical', json_extract(body, '$.logical'),
      'read', json_extract(body, '$.read'), 'stored', json_extract(body, '$.stored'))),
  '$.snapshot', '$.logical', '$.read', '$.stored');

-- Backups had one mover and said by two optional times why they ran. One that has not ended is begun again, with snapshots,
-- unless its vault turns out to hold what it was to save.
UPDATE jobs SET body = json_remove(
  json_set(body,
    '$.work.cause', json(CASE
      WHEN json_extract(body, '$.work.due') IS NOT NULL
      THEN json_object('by', 'schedule', 'due', json_extract(body, '$.work.due'))
      ELSE json_object('by', 'demand', 'until',
        coalesce(json_extract(body, '$.work.until'), json_extract(body, '$.began')))
      END),
    '$.work.phase', CASE WHEN key LIKE 'ended/%' THEN 'transfer' ELSE 'snapshot' END,
    '$.work.snapshot', json(CASE WHEN key LIKE 'ended/%'
      THEN json_object('began', json_extract(body, '$.copied.started'), 'ended', json_extract(body, '$.copied.read'))
      ELSE '{}' END),
    '$.work.transfer', json(CASE WHEN key LIKE 'ended/%' AND json_extract(body, '$.work.saved') IS NOT NULL
      THEN json_object('began', json_extract(body, '$.copied.read'), 'ended', json_extract(body, '$.stage.when'))
      ELSE '{}' END)),
  '$.work.due', '$.work.until')
WHERE json_extract(body, '$.work.kind') = 'backup';

-- Jobs are found by their item, from a time on.
UPDATE jobs SET subject = coalesce(json_extract(body, '$.item'), 'cleanup'),
  moment = CAST(strftime('%s', json_extract(body, '$.began')) AS INTEGER) * 1000000;
