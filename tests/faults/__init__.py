"""What is acknowledged is never lost: power cuts, kills, failing disks and failing peers."""
