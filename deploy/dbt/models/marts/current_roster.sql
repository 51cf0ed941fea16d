-- One row per current enrollment: the person, the section with its course and term, and the school.
select
    e.district_id,
    e.source,
    e.role,
    e.is_primary,
    e.status as enrollment_status,
    e.start_at,
    e.end_at,
    u.user_kind,
    u.user_id,
    u.full_name,
    u.email,
    u.username,
    e.course_id,
    coalesce(c.name, s.name) as course_name,
    e.section_id,
    s.name as section_name,
    s.period,
    coalesce(s.term_id, c.term_id) as term_id,
    t.name as term_name,
    coalesce(e.organization_id, s.organization_id, c.organization_id) as organization_id,
    o.name as organization_name,
    e.valid_from as known_since,
    e.valid_from_import as import_id
from {{ source("roster_etl", "enrollments") }} as e
inner join {{ source("roster_etl", "users") }} as u
    on {{ key_equals("e", "u", ["user_kind", "user_id"]) }}
left join {{ source("roster_etl", "sections") }} as s
    on {{ key_equals("e", "s", ["section_id"]) }}
left join {{ source("roster_etl", "courses") }} as c
    on {{ key_equals("e", "c", ["course_id"]) }}
left join {{ source("roster_etl", "terms") }} as t
    on t.district_id = e.district_id and t.source = e.source and t.term_id = coalesce(s.term_id, c.term_id)
left join {{ source("roster_etl", "organizations") }} as o
    on o.district_id = e.district_id
    and o.source = e.source
    and o.organization_id = coalesce(e.organization_id, s.organization_id, c.organization_id)
