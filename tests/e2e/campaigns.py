"""Campaigns that several tests share."""

STAFF = """\
version: 1
campaign: sale
mailings:
  - name: staff
    recipients: ["+375291234567", "+375297654321"]
    text: Shop is closed until noon
"""
THREE = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: ["375291234567", "375291234568", "375291234569"]
    text: Hello
"""
FROM_A_FILE = """\
version: 1
campaign: sale
mailings:
  - name: vip
    recipients: {file: lists/vip.csv}
    text: "{{ name }}, hello"
"""
TO_A_LIST = """\
version: 1
campaign: news
alphaname: MyShop
mailings:
  - name: letter
    list: Newsletter
    text: New collection
"""
SCHEDULED = """\
version: 1
campaign: sale
schedule_time: 2036-12-01T10:00:00
revision: {revision}
mailings:
  - {{name: vip, recipients: ["375291234567", "375291234568"], text: {text}}}
"""
