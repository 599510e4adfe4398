-- What a report lists, besides the events that wake a lead.
CREATE INDEX event_report ON event (run_id, kind, id)
    WHERE kind IN ('landed', 'integrated', 'accepted', 'recalled', 'branch_advanced');
