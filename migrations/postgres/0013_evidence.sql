-- Every look at the messages in doubt, and the trigger that lets one be settled, asks for its evidence:
-- without this they read all the evidence there ever was.
CREATE INDEX evidence_by_message ON evidence (message_id);
