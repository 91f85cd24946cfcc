-- A mailbox that its provider found too fast goes at half its rate for a while: its gap counts twice,
-- and is never nothing. The planner ends it.
ALTER TABLE mailboxes ADD COLUMN slow_until INTEGER;

-- Twice EXISTS, and not IN: for a list of columns SQLite makes a table each time it looks.
DROP VIEW message_facts;
CREATE VIEW message_facts AS
SELECT m.id, m.state, m.plan_day, m.due_at, m.closes_at, m.position, m.mailbox_id, m.attempts,
       e.state AS enrolment_state, e.mailbox_id AS thread_mailbox_id,
       c.state AS campaign_state,
       b.state AS mailbox_state, b.paused_until, b.paused_because, b.lease_epoch,
       b.lease_expires_at,
       CASE WHEN b.slow_until IS NULL THEN b.gap_ms
            WHEN b.gap_ms < 5000 THEN 10000 ELSE 2 * b.gap_ms END AS gap_ms,
       b.inbox_read_at, b.last_attempt_at AS mailbox_attempt_at,
       p.address IS NULL AS erased,
       EXISTS (SELECT 1 FROM suppressions s WHERE s.scope = 'address' AND s.value = p.address)
       OR EXISTS (SELECT 1 FROM suppressions s WHERE s.scope = 'domain' AND s.value = p.domain)
       OR EXISTS (SELECT 1 FROM suppressions s WHERE s.scope = 'domain' AND s.value = p.company)
           AS suppressed,
       CASE WHEN p.last_message_id = m.id THEN NULL ELSE p.last_attempt_at END AS person_attempt_at,
       s.person_gap_ms, s.fresh_ms,
       coalesce(d.attempted, 0) AS mailbox_attempted, coalesce(d.ceiling, 0) AS mailbox_ceiling,
       coalesce(bd.attempted, 0) AS domain_attempted, coalesce(bd.ceiling, 0) AS domain_ceiling,
       coalesce(bt.attempted, 0) AS tenant_attempted,
       CASE WHEN b.tenant IS NULL THEN NULL ELSE coalesce(bt.ceiling, 0) END AS tenant_ceiling,
       coalesce(bc.attempted, 0) AS company_attempted,
       CASE WHEN p.company IS NULL THEN NULL ELSE s.company_per_day END AS company_ceiling
FROM messages m
JOIN enrolments e ON e.id = m.enrolment_id
JOIN campaigns c ON c.id = m.campaign_id
JOIN mailboxes b ON b.id = m.mailbox_id
JOIN prospects p ON p.id = e.prospect_id
JOIN settings s ON s.id = 1
LEFT JOIN mailbox_days d ON d.mailbox_id = m.mailbox_id AND d.day = m.plan_day
LEFT JOIN budget_days bd ON bd.scope = 'domain' AND bd.name = b.domain AND bd.day = m.plan_day
LEFT JOIN budget_days bt ON bt.scope = 'tenant' AND bt.name = b.tenant AND bt.day = m.plan_day
LEFT JOIN budget_days bc ON bc.scope = 'company' AND bc.name = p.company AND bc.day = m.plan_day;
